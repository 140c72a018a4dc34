import assert from "node:assert/strict";
import type { OperationOptions } from "../../contracts/common.ts";
import type { TrackedModel } from "../../contracts/tracking.ts";
import { leaveNoListener, rejectsWith, rejectWhenAborted } from "../checks/rejections.ts";
import { settles, until } from "../checks/waiting.ts";
import type { TrackingFixture, TrackingTest } from "./fixture.ts";
import { ODD_TEXTS, toldOfOdd } from "./odd-texts.ts";

const OUTAGE_MS = 60_000;

export const asking: readonly TrackingTest[] = [
  {
    name: "resolve tells the model that a run made: where it is, its type and its run",
    async run({ tracking, add }) {
      const made = await add("a-type");
      assertTold(await settles("resolve", tracking.resolve(made.runId)), made);
    },
  },
  {
    name: "runs are told apart",
    async run({ tracking, add }) {
      const all = [await add("one"), await add("another"), await add("one")];
      assert.equal(new Set(all.map(({ uri }) => uri)).size, all.length, "the fixture's models");
      const found = await settles("resolve", Promise.all(all.map(({ runId }) => tracking.resolve(runId))));
      for (const [at, made] of all.entries())
        assert.equal(found[at]?.uri, made.uri, `the model of run ${at}`);
    },
  },
  {
    name: "a model whose type the tracker does not say is told without one",
    async run({ tracking, add }) {
      const made = await add();
      assert.equal((await settles("resolve", tracking.resolve(made.runId)))?.type, undefined, "its type");
      assert.equal((await settles("find", tracking.find(made.uri)))?.type, undefined, "its type");
    },
  },
  {
    name: "resolve tells undefined of a run that is unknown or made no model",
    async run({ tracking, add, unknownRuns }) {
      await add("a-type");
      for (const unknown of unknownRuns) {
        assert.equal(await settles("resolve", tracking.resolve(unknown)), undefined, `run ${unknown}`);
      }
    },
  },
  {
    name: "what is no id of a run leads nowhere",
    async run({ tracking, add }) {
      await add("a-type");
      for (const text of ODD_TEXTS) await leadsNowhere("resolve", text, tracking.resolve(text));
    },
  },
  {
    name: "find tells what is known of the model at an address",
    async run({ tracking, add }) {
      for (const made of [await add("one"), await add("another")]) {
        const found = await settles("find", tracking.find(made.uri));
        assert.equal(found?.uri, made.uri, "its uri");
        assert.ok(found.type === made.type || found.type === undefined, `its type is ${found.type}`);
        assert.ok(found.runId === made.runId || found.runId === undefined, `its run is ${found.runId}`);
      }
    },
  },
  {
    name: "find tells undefined of an address at which nothing is",
    leaveOut: ({ tracking }) =>
      tracking.capabilities.validates ? undefined : "it does not claim to validate",
    async run({ tracking, add, unknownUris }) {
      await add("a-type");
      for (const unknown of unknownUris) {
        assert.equal(await settles("find", tracking.find(unknown)), undefined, unknown);
      }
    },
  },
  {
    name: "what is no address leads nowhere",
    async run({ tracking, add }) {
      const { uri } = await add("a-type");
      for (const text of ODD_TEXTS) {
        const found = await leadsNowhere("find", text, tracking.find(text), !tracking.capabilities.validates);
        assert.notEqual(found?.uri, uri, `what find(${JSON.stringify(text.slice(0, 20))}) led to`);
      }
    },
  },
  {
    name: "who changes what was told changes nothing of the tracker's",
    async run({ tracking, add }) {
      const made = await add("a-type");
      for (const ask of [() => tracking.resolve(made.runId), () => tracking.find(made.uri)]) {
        const first = await settles("the call", ask());
        assert.ok(first !== undefined);
        const before = { ...first };
        Object.assign(first, { uri: "changed", type: "changed" });
        assert.deepEqual({ ...(await settles("the call", ask())) }, before);
      }
    },
  },
  {
    name: "while the tracker does not answer, calls reject with TRACKING_UNAVAILABLE, and afterwards they work again",
    leaveOut: ({ interrupt }) =>
      interrupt === undefined ? "the fixture cannot interrupt its tracker" : undefined,
    timeoutMs: OUTAGE_MS,
    async run({ tracking, add, interrupt }) {
      const [known, other] = [await add("a-type"), await add("a-type")];
      await settles("resolve", tracking.resolve(known.runId));
      await interrupt?.(async () => {
        const calls = await callsOf({ tracking, add: async () => other });
        for (const [name, call] of Object.entries(calls)) {
          await rejectsWith("TRACKING_UNAVAILABLE", name, () => call({}));
        }
      });
      // It may let a moment pass before it tries again.
      await until("it works again", async () => {
        return await tracking.resolve(other.runId).then(
          () => true,
          () => false,
        );
      });
      assertTold(await settles("resolve", tracking.resolve(other.runId)), other);
      assert.equal((await settles("find", tracking.find(other.uri)))?.uri, other.uri);
    },
  },
  {
    name: "a signal that was aborted before makes every method reject with its reason",
    async run(fixture) {
      await rejectWhenAborted(await callsOf(fixture));
    },
  },
  {
    name: "a call that is over has left no listener on the caller's signal",
    async run(fixture) {
      await leaveNoListener(await callsOf(fixture));
    },
  },
];

function assertTold(found: TrackedModel | undefined, { uri, type, runId }: TrackedModel): void {
  assert.deepEqual(found && [found.uri, found.type, found.runId], [uri, type, runId]);
}

/** Resolves `undefined`, or what is allowed to be told of an address that was not looked at. */
async function leadsNowhere(
  what: string,
  text: string,
  call: Promise<TrackedModel | undefined>,
  mayEcho: boolean = false,
): Promise<TrackedModel | undefined> {
  const found = await toldOfOdd(what, text, call);
  if (mayEcho && found?.uri === text) return found;
  assert.equal(found, undefined, `${what}(${JSON.stringify(text.slice(0, 20))})`);
  return undefined;
}

type Call = (options: OperationOptions) => Promise<unknown>;

async function callsOf({
  tracking,
  add,
}: Pick<TrackingFixture, "tracking" | "add">): Promise<Record<string, Call>> {
  const { runId, uri } = await add("a-type");
  return {
    resolve: (options) => tracking.resolve(runId, options),
    find: (options) => tracking.find(uri, options),
    ...(tracking.capabilities.describes && { describe: (options) => tracking.describe(uri, options) }),
    ...(tracking.capabilities.runs && {
      run: (options) => tracking.run(runId, options),
      findRuns: (options) => tracking.findRuns({ name: runId }, options),
    }),
  };
}
