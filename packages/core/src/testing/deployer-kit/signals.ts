import assert from "node:assert/strict";
import type { OperationOptions } from "../../contracts/common.ts";
import { leaveNoListener, nameOf, rejectWhenAborted } from "../checks/rejections.ts";
import { pause, settles } from "../checks/waiting.ts";
import {
  type DeployerFixture,
  type DeployerTest,
  find,
  GRACE_MS,
  identityOf,
  linesOf,
  list,
  listedIds,
  make,
} from "./fixture.ts";

/** Signals: an abort ends the wait; what the engine was asked for is done or not, never half. */
export const signals: readonly DeployerTest[] = [
  {
    name: "a signal that was aborted before makes every method reject with its reason, and nothing happens",
    async run(fixture) {
      const server = await make(fixture, "m");
      await rejectWhenAborted(callsOf(fixture, server.id));
      assert.deepEqual(await listedIds(fixture), [server.id]);
      assert.equal((await find(fixture, server))?.state, "created", "the state of the server");
    },
  },
  {
    name: "a server that is made while its signal aborts is made or not, and rejects with nothing but the reason",
    async run(fixture) {
      const reason = new Error("enough");
      for (let round = 0; round < 5; round += 1) {
        const controller = new AbortController();
        const identity = identityOf(fixture, `m${round}`);
        const creating = fixture.deployer
          .create(fixture.spec(), identity, { signal: controller.signal })
          .then(
            () => "made",
            (error: unknown) => error,
          );
        if (round > 0) await pause(round);
        controller.abort(reason);
        const end = await settles("create", creating);
        assert.ok(end === "made" || end === reason, `create rejected with ${nameOf(end)}`);
        // The engine may still be about to make it: whoever comes next makes it, or meets it.
        const again = await settles(
          "create, again",
          fixture.deployer.create(fixture.spec(), identity).catch(() => undefined),
        );
        const found = (await list(fixture)).filter(({ model }) => model === identity.model);
        assert.equal(found.length, 1, "servers of the model");
        if (end === "made") assert.equal(again, undefined, "a second server of the model");
      }
    },
  },
  {
    name: "a call that is over has left no listener on the caller's signal",
    async run(fixture) {
      const { id } = await make(fixture, "m");
      await leaveNoListener(callsOf(fixture, id));
    },
  },
];

type Call = (options: OperationOptions) => Promise<unknown>;

/** Every method by its name, in an order in which all of them resolve. */
function callsOf(fixture: DeployerFixture, id: string): Record<string, Call> {
  const { deployer, installation, spec } = fixture;
  const identity = identityOf(fixture, "other");
  return {
    prepare: (options) => deployer.prepare(spec(), identity, options),
    create: (options) => deployer.create(spec(), identity, options),
    start: (options) => deployer.start(id, { installation, ...options }),
    list: (options) => deployer.list(installation, options),
    ...(deployer.capabilities.logs && {
      logs: (options: OperationOptions) => linesOf(fixture, id, options),
    }),
    remove: (options) => deployer.remove(id, { installation, graceMs: GRACE_MS, ...options }),
  };
}
