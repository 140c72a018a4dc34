import assert from "node:assert/strict";
import { nameOf, rejectsWith } from "../checks/rejections.ts";
import { settles, until } from "../checks/waiting.ts";
import {
  type DeployerFixture,
  type DeployerTest,
  GRACE_MS,
  identityOf,
  linesOf,
  list,
  listedIds,
  make,
  remove,
  run,
  start,
} from "./fixture.ts";

function withoutOutage({ interrupt }: DeployerFixture): string | undefined {
  return interrupt === undefined ? "the fixture cannot interrupt its engine" : undefined;
}

/** Longer than a deployer waits for an answer. */
const OUTAGE_MS = 60_000;

/** An engine that does not answer. */
export const outages: readonly DeployerTest[] = [
  {
    name: "while the engine does not answer, every call rejects with DEPLOYER_UNAVAILABLE",
    leaveOut: withoutOutage,
    timeoutMs: OUTAGE_MS,
    async run(fixture) {
      const { deployer, installation, spec } = fixture;
      const { id } = await make(fixture, "m");
      const identity = identityOf(fixture, "n");
      await fixture.interrupt?.(async () => {
        await rejectsWith("DEPLOYER_UNAVAILABLE", "prepare", () => deployer.prepare(spec(), identity));
        await rejectsWith("DEPLOYER_UNAVAILABLE", "create", () => deployer.create(spec(), identity));
        await rejectsWith("DEPLOYER_UNAVAILABLE", "start", () => deployer.start(id, { installation }));
        await rejectsWith("DEPLOYER_UNAVAILABLE", "list", () => deployer.list(installation));
        await rejectsWith("DEPLOYER_UNAVAILABLE", "remove", () =>
          deployer.remove(id, { installation, graceMs: GRACE_MS }),
        );
        if (!deployer.capabilities.logs) return;
        await rejectsWith("DEPLOYER_UNAVAILABLE", "logs", () => linesOf(fixture, id));
      });
    },
  },
  {
    name: "after an outage everything works again, and what there was is there",
    leaveOut: withoutOutage,
    timeoutMs: OUTAGE_MS,
    async run(fixture) {
      const before = await make(fixture, "before");
      await fixture.interrupt?.(async () => {
        await fixture.deployer.list(fixture.installation).catch(() => {});
      });
      await until("the engine answers", () =>
        list(fixture).then(
          () => true,
          () => false,
        ),
      );
      assert.deepEqual(await listedIds(fixture), [before.id]);
      await start(fixture, before);
      await remove(fixture, await run(fixture, "after"));
      await remove(fixture, before);
      assert.deepEqual(await list(fixture), []);
    },
  },
  {
    name: "what an outage broke off can be done again, and is done once",
    leaveOut: withoutOutage,
    timeoutMs: OUTAGE_MS,
    async run(fixture) {
      const { deployer, spec, installation } = fixture;
      const identity = identityOf(fixture, "m");
      const creating = deployer.create(spec(), identity).then(
        () => undefined,
        (error: unknown) => nameOf(error),
      );
      await fixture.interrupt?.(async () => {
        const error = await settles("create, broken off", creating, OUTAGE_MS / 2);
        assert.ok(error?.startsWith("DEPLOYER_UNAVAILABLE") ?? true, `create rejected with ${error}`);
      });
      await until("the engine answers", () =>
        list(fixture).then(
          () => true,
          () => false,
        ),
      );
      const found = await list(fixture);
      const server = found[0] ?? (await settles("create", deployer.create(spec(), identity)));
      assert.deepEqual(await listedIds(fixture), [server.id]);
      await settles("start", deployer.start(server.id, { installation }));
      await remove(fixture, server);
    },
  },
  {
    name: "who watches over an outage is told of changes after it",
    leaveOut: withoutOutage,
    timeoutMs: OUTAGE_MS,
    async run(fixture) {
      let hints = 0;
      fixture.deployer.watch(fixture.installation, () => {
        hints += 1;
      });
      await fixture.interrupt?.(async () => {});
      await until("the engine answers", () =>
        list(fixture).then(
          () => true,
          () => false,
        ),
      );
      hints = 0;
      await until("a hint is heard", async () => {
        await remove(fixture, await run(fixture, "m"));
        return hints > 0;
      });
    },
  },
];
