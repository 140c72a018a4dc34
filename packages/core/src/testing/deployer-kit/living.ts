import assert from "node:assert/strict";
import { rejectsWith } from "../checks/rejections.ts";
import { settles, until } from "../checks/waiting.ts";
import { Watcher } from "../discovery-kit/fixture.ts";
import {
  type DeployerTest,
  find,
  GRACE_MS,
  list,
  listedIds,
  make,
  NO_OTHER,
  reaches,
  remove,
  run,
  start,
} from "./fixture.ts";

/** From nothing to a server and back, and that every step may be repeated. */
export const living: readonly DeployerTest[] = [
  {
    name: "a server is made, started and removed, and listed accordingly",
    async run(fixture) {
      assert.deepEqual(await list(fixture), [], "what is listed at first");
      const server = await make(fixture, "m");
      assert.equal(server.state, "created", "the state of what create resolves");
      assert.ok(server.id.length > 0 && server.serverId.length > 0 && server.name.length > 0, "its names");
      assert.equal((await find(fixture, server))?.state, "created", "the state before it is started");
      await start(fixture, server);
      assert.equal((await find(fixture, server))?.state, "running", "the state after it was started");
      await remove(fixture, server);
      assert.equal(await find(fixture, server), undefined, "the server after it was removed");
    },
  },
  {
    name: "a discovery of the same engine lists a server under its serverId, until it is removed",
    leaveOut: ({ discovery }) => (discovery === undefined ? "the fixture has no discovery" : undefined),
    async run(fixture) {
      const { discovery } = fixture;
      if (discovery === undefined) return;
      const watcher = await Watcher.of(discovery);
      const server = await run(fixture, "m");
      await watcher.sees(server.serverId, "ready");
      await remove(fixture, server);
      await watcher.misses(server.serverId);
      watcher.stop();
    },
  },
  {
    name: "a server that runs may be started again, by many at once, and runs on",
    async run(fixture) {
      const server = await make(fixture, "m");
      await Promise.all([start(fixture, server), start(fixture, server), start(fixture, server)]);
      await start(fixture, server);
      assert.deepEqual(await listedIds(fixture), [server.id]);
      assert.equal((await find(fixture, server))?.state, "running");
    },
  },
  {
    name: "to start what is gone rejects with DEPLOYMENT_UNKNOWN",
    async run(fixture) {
      const { deployer, installation } = fixture;
      const { id } = await make(fixture, "m");
      await settles("remove", deployer.remove(id, { installation, graceMs: GRACE_MS }));
      for (const gone of [id, "no-such-server"]) {
        await rejectsWith("DEPLOYMENT_UNKNOWN", "start", () => deployer.start(gone, { installation }));
      }
    },
  },
  {
    name: "a server may be removed in every state, and when remove resolves it is gone and its name is free",
    async run(fixture) {
      const states = [
        async () => await make(fixture, "m"),
        async () => await run(fixture, "m"),
        async () => await reaches(fixture, await run(fixture, "m", fixture.writer([], 3)), "stopped"),
      ];
      for (const reach of states) {
        const server = await reach();
        await remove(fixture, server);
        assert.deepEqual(await listedIds(fixture), [], "what is listed when remove resolved");
        await remove(fixture, await make(fixture, "m"));
      }
    },
  },
  {
    name: "what is gone may be removed again, and by many at once",
    async run(fixture) {
      const server = await run(fixture, "m");
      const removals = Array.from({ length: 4 }, () => remove(fixture, server));
      await settles("remove, called by many", Promise.all(removals));
      assert.deepEqual(await list(fixture), []);
      await remove(fixture, server);
    },
  },
  {
    name: "a server that goes on when it is asked to stop is killed after the grace",
    leaveOut: ({ stubborn }) => (stubborn === undefined ? "the fixture has no stubborn server" : undefined),
    async run(fixture) {
      const { deployer, installation, stubborn } = fixture;
      const { id } = await run(fixture, "m", stubborn?.());
      await settles("remove", deployer.remove(id, { installation, graceMs: 100 }));
      assert.deepEqual(await list(fixture), []);
    },
  },
  {
    name: "what one process made, another starts, lists and removes",
    leaveOut: ({ another }) => (another === undefined ? NO_OTHER : undefined),
    async run(fixture) {
      const other = await fixture.another?.();
      if (other === undefined) return;
      const server = await make(fixture, "m");
      assert.deepEqual(await listedIds(fixture, other), [server.id], "what the other process lists");
      await start(fixture, server, other);
      assert.equal((await find(fixture, server))?.state, "running");
      await remove(fixture, server, other);
      assert.deepEqual(await list(fixture), []);
    },
  },
  {
    name: "a server that cannot be started rejects with START_FAILED, and can be removed",
    leaveOut: ({ unstartable }) => (unstartable === undefined ? "the fixture has no such server" : undefined),
    async run(fixture) {
      const { deployer, installation, unstartable } = fixture;
      const server = await make(fixture, "m", unstartable?.());
      await rejectsWith("START_FAILED", "start", () => deployer.start(server.id, { installation }));
      await until("it does not run", async () => (await find(fixture, server))?.state !== "running");
      await remove(fixture, server);
      assert.deepEqual(await list(fixture), []);
    },
  },
  {
    name: "servers of several models live side by side",
    async run(fixture) {
      const names = ["a", "b", "c"];
      const servers = await Promise.all(names.map((name) => run(fixture, name)));
      assert.equal(new Set(servers.map(({ id }) => id)).size, names.length, "ids that differ");
      assert.equal(
        new Set(servers.map(({ serverId }) => serverId)).size,
        names.length,
        "serverIds that differ",
      );
      const [first, ...rest] = servers as [(typeof servers)[0], ...typeof servers];
      await remove(fixture, first);
      assert.deepEqual(await listedIds(fixture), rest.map(({ id }) => id).sort());
      for (const server of rest) assert.equal((await find(fixture, server))?.state, "running", server.name);
    },
  },
];
