import assert from "node:assert/strict";
import type { DeployedServer, DeploymentIdentity } from "../../contracts/deployer.ts";
import { type DeployerTest, find, identityOf, list, make, reaches, run } from "./fixture.ts";

/** Addresses that a list of labels, a query or a shell might change. */
const ODD_URI = "s3://bucket/a b,c=d;e%20f'g\"h`$(i)|j\\k\n\u00e9 \u4e16\u754c \u{1f600}?x=1&y={{z}}";

/** What is said of servers: who they are, in which state, and how they ended. */
export const listing: readonly DeployerTest[] = [
  {
    name: "a server says which deployment it is, in every state, letter by letter",
    async run(fixture) {
      const full = { kind: "manual", ttlMs: 90_061_001, modelUri: ODD_URI } as const;
      const identities = [
        identityOf(fixture, "full", { ...full, generation: `generation ${ODD_URI}` }),
        identityOf(fixture, "least"),
        identityOf(fixture, "brief", { kind: "manual", ttlMs: 1, modelUri: "models:/m/3" }),
      ];
      const made: DeployedServer[] = [];
      for (const identity of identities) {
        const server = await make(fixture, "m", fixture.writer([], 0), identity);
        assert.deepEqual(identityIn(server), identityIn(identity), "what create resolves");
        made.push(server);
      }
      const [first, second] = made as [DeployedServer, DeployedServer];
      await fixture.deployer.start(first.id, fixture);
      await fixture.deployer.start(second.id, fixture);
      await reaches(fixture, first, "stopped");
      for (const [at, server] of made.entries()) {
        const found = await find(fixture, server);
        assert.ok(found !== undefined, `${server.name} is not listed`);
        assert.deepEqual(
          identityIn(found),
          identityIn(identities[at] as DeploymentIdentity),
          "what list resolves",
        );
        assert.equal(found.serverId, server.serverId, "its serverId");
        assert.equal(found.name, server.name, "its name");
      }
    },
  },
  {
    name: "list holds a server as soon as create has resolved, also for another process",
    async run(fixture) {
      const other = (await fixture.another?.()) ?? fixture.deployer;
      for (const name of ["a", "b", "c"]) {
        await list(fixture, other);
        const { id } = await make(fixture, name);
        const found = await list(fixture, other);
        assert.ok(
          found.some((server) => server.id === id),
          `${name} is not listed`,
        );
      }
    },
  },
  {
    name: "a server that ended by itself is listed as stopped, with its exit code",
    async run(fixture) {
      for (const code of [0, 3]) {
        const server = await run(fixture, `m${code}`, fixture.writer([], code));
        const { exit } = await reaches(fixture, server, "stopped");
        assert.deepEqual([exit?.code, exit?.isOutOfMemory], [code, false], "its exit");
      }
    },
  },
  {
    name: "a server that was not started or that runs has no exit",
    async run(fixture) {
      const servers = [await make(fixture, "created"), await run(fixture, "running")];
      for (const server of servers) assert.equal((await find(fixture, server))?.exit, undefined, server.name);
    },
  },
  {
    name: "a server that was killed is listed as stopped, and keeps its name",
    leaveOut: ({ kill }) => (kill === undefined ? "the fixture cannot kill a server" : undefined),
    async run(fixture) {
      const server = await run(fixture, "m");
      await fixture.kill?.(server.id);
      const { exit, ...found } = await reaches(fixture, server, "stopped");
      assert.equal(found.name, server.name);
      assert.ok(exit !== undefined && exit.code !== 0, "its exit code must not be 0");
      assert.equal(exit.isOutOfMemory, false, "it was not killed for its memory");
    },
  },
  {
    name: "a server that took more memory than it may is listed as stopped, and says so",
    leaveOut: ({ greedy, deployer }) =>
      greedy === undefined && !deployer.capabilities.limits ? "it claims no limits" : undefined,
    async run(fixture) {
      assert.ok(
        fixture.greedy !== undefined,
        "who claims limits has to show them: give the fixture `greedy`",
      );
      const server = await run(fixture, "m", fixture.greedy());
      const { exit } = await reaches(fixture, server, "stopped");
      assert.equal(exit?.isOutOfMemory, true, "exit.isOutOfMemory");
    },
  },
];

/** The identity alone; what is absent and what is undefined are the same. */
function identityIn(from: DeploymentIdentity): unknown[] {
  const { installation, model, generation, kind, ttlMs, modelUri } = from;
  return [installation, model, generation, kind, ttlMs, modelUri];
}
