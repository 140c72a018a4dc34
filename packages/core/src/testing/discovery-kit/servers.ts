import assert from "node:assert/strict";
import type { ModelServer } from "../../contracts/discovery.ts";
import { settles, until } from "../checks/waiting.ts";
import { type DiscoveryTest, Watcher } from "./fixture.ts";

const NO_READINESS = "the fixture cannot make a server ready or not";

/** What is told of servers: how they come, change, drain and go. */
export const servers: readonly DiscoveryTest[] = [
  {
    name: "a server that appears is told with an upsert, and describes itself",
    async run({ discovery, add }) {
      const watcher = await Watcher.of(discovery);
      const id = await add("a-model");
      await watcher.sees(id, "ready");
      const last = watcher.changes.at(-1);
      assert.ok(last?.kind === "upsert" && last.server.id === id, "the last thing told must be its upsert");
      const { url, models, protocol } = watcher.server(id);
      assert.ok(id.length > 0, "its id must not be empty");
      assert.ok(!url.endsWith("/") && url.length > 0, "its url must not end with a slash");
      assert.deepEqual([...models], ["a-model"], "its models");
      assert.ok(protocol.length > 0, "its protocol must not be empty");
    },
  },
  {
    name: "a server that is gone is told as removed, by its id",
    async run({ discovery, add, remove }) {
      const watcher = await Watcher.of(discovery);
      const [gone, kept] = [await add("gone"), await add("kept")];
      await Promise.all([watcher.sees(gone, "ready"), watcher.sees(kept, "ready")]);
      await remove(gone);
      await watcher.misses(gone);
      assert.deepEqual([...watcher.known.keys()], [kept]);
      assert.equal(watcher.storyOf(gone).at(-1), "removed");
      const later = await Watcher.of(discovery);
      assert.deepEqual([...later.known.keys()], [kept], "the snapshot of a later watcher");
    },
  },
  {
    name: "a server is told as draining when its stop is asked for, not when it is over",
    leaveOut: ({ drain }) => (drain === undefined ? "the fixture cannot ask a server to stop" : undefined),
    async run({ discovery, add, drain, remove }) {
      const watcher = await Watcher.of(discovery);
      const id = await add("m");
      await watcher.sees(id, "ready");
      await drain?.(id);
      await watcher.sees(id, "draining");
      assert.equal(
        (await Watcher.of(discovery)).stateOf(id),
        "draining",
        "in the snapshot of a later watcher",
      );
      await remove(id);
      await watcher.misses(id);
    },
  },
  {
    name: "a server is starting until it was ready once, and unhealthy when it was and is not",
    leaveOut: ({ setReady }) => (setReady === undefined ? NO_READINESS : undefined),
    async run({ discovery, add, setReady }) {
      const watcher = await Watcher.of(discovery);
      const id = await add("m", false);
      await settles("refresh", discovery.refresh());
      await watcher.sees(id, "starting");
      await setReady?.(id, true);
      await watcher.sees(id, "ready");
      await setReady?.(id, false);
      await watcher.sees(id, "unhealthy");
      await setReady?.(id, true);
      await watcher.sees(id, "ready");
      const story = watcher.storyOf(id).filter((state, at, all) => state !== all[at - 1]);
      assert.deepEqual(story, ["starting", "ready", "unhealthy", "ready"], "all that was told of it");
    },
  },
  {
    name: "what changes about a server is told with an upsert of all that is known",
    leaveOut: ({ change }) => (change === undefined ? "the fixture cannot change a server" : undefined),
    async run({ discovery, add, change }) {
      const watcher = await Watcher.of(discovery);
      const id = await add("m");
      await watcher.sees(id, "ready");
      const before = watcher.server(id);
      const expected = await change?.(id);
      const isTold = (): boolean => {
        return JSON.stringify({ ...watcher.server(id), ...expected }) === JSON.stringify(watcher.server(id));
      };
      await until(`${JSON.stringify(expected)} is told`, isTold);
      assert.equal(watcher.server(id).url, before.url, "its url");
      assert.equal(watcher.snapshots, 1, "snapshots");
    },
  },
  {
    name: "another start of a server has another instance and the same id",
    leaveOut: ({ discovery }) =>
      discovery.capabilities.instances ? undefined : "it does not claim instances",
    async run({ discovery, add, restart }) {
      assert.ok(restart !== undefined, "it claims instances: give the fixture restart(), to show it");
      const watcher = await Watcher.of(discovery);
      const id = await add("m");
      await watcher.sees(id, "ready");
      const { instance } = watcher.server(id);
      assert.ok(instance !== undefined && instance !== "", "a server must have an instance");
      await restart(id);
      const isAnother = (): boolean => {
        const server = watcher.known.get(id);
        return server?.state === "ready" && server.instance !== instance;
      };
      await until("another instance is told under the same id", isAnother);
    },
  },
  {
    name: "a server has the same id in every discovery that sees it",
    leaveOut: ({ another }) => (another === undefined ? "the fixture has no other discovery" : undefined),
    async run({ discovery, another, add }) {
      const ids = [await add("a"), await add("b")];
      const other = await another?.();
      assert.ok(other !== undefined);
      const watchers = [await Watcher.of(discovery), await Watcher.of(other)];
      for (const watcher of watchers) {
        for (const id of ids) await watcher.sees(id, "ready");
        assert.deepEqual([...watcher.known.keys()].sort(), ids.toSorted());
      }
      const brief = ({ url, models }: ModelServer): string => `${url} ${models}`;
      const [one, two] = watchers.map((watcher) => ids.map((id) => brief(watcher.server(id))));
      assert.deepEqual(one, two, "what two discoveries know");
    },
  },
  {
    name: "after an interruption, all is told again as a new snapshot, without what has gone meanwhile",
    leaveOut: ({ interrupt }) => (interrupt === undefined ? "the fixture cannot interrupt it" : undefined),
    async run({ discovery, add, remove, interrupt }) {
      const watcher = await Watcher.of(discovery);
      const [gone, kept] = [await add("gone"), await add("kept")];
      await Promise.all([watcher.sees(gone, "ready"), watcher.sees(kept, "ready")]);
      let added = "";
      await interrupt?.(async () => {
        await remove(gone);
        added = await add("added");
      });
      await watcher.sees(added, "ready");
      await until("a second snapshot is told", () => watcher.snapshots > 1);
      assert.deepEqual([...watcher.known.keys()].sort(), [kept, added].sort());
    },
  },
];
