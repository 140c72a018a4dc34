import assert from "node:assert/strict";
import type { CallOutcome } from "../../contracts/server-protocol.ts";
import { GatewayError } from "../../errors.ts";
import { assertBytes, readAll, testBytes, textBytes } from "../checks/bytes.ts";
import { rejectionOf } from "../checks/rejections.ts";
import { pause, settles, until } from "../checks/waiting.ts";
import {
  answerOf,
  beginRun,
  callOf,
  needs,
  outcomeOf,
  type ServerAct,
  type ServerProtocolTest,
} from "./fixture.ts";

const ANSWER: ServerAct = { act: "answer", body: () => pieces("done"), contentType: "text/plain" };
/** A time limit that a server which hangs exceeds, and the way to it does not, even on a busy machine. */
const SHORT_MS = 700;

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield textBytes(text);
}

/** What came of a call, in words that all protocols share. */
export const outcomes: readonly ServerProtocolTest[] = [
  {
    name: "a protocol has the name by which servers ask for it, and says what its operations are",
    async run({ protocol, server, operation, background }) {
      assert.equal(protocol.name, server.protocol);
      for (const [name, spec] of protocol.operations) {
        assert.equal(typeof spec.repeatable, "boolean", `${name}: repeatable`);
        assert.equal(typeof spec.background, "boolean", `${name}: background`);
        assert.ok(spec.timeoutMs > 0, `${name}: timeoutMs is ${spec.timeoutMs}`);
        assert.ok(!spec.contentType?.includes(";"), `${name}: contentType is ${spec.contentType}`);
      }
      assert.equal(protocol.operations.get(operation.name)?.background, false, operation.name);
      if (background)
        assert.equal(protocol.operations.get(background.name)?.background, true, background.name);
    },
  },
  {
    name: "done: the server's answer, byte for byte, with its type",
    leaveOut: needs("answer"),
    async run(fixture) {
      for (const contentType of ["text/plain", "application/json; charset=utf-8", "application/x-ndjson"]) {
        const bytes = testBytes(3000, contentType.length);
        fixture.act({ act: "answer", body: () => split(bytes), contentType });
        const answer = answerOf(await outcomeOf(fixture), "done");
        assert.equal(answer.contentType, contentType);
        const found = await readAll(answer.body);
        assertBytes(found, bytes, "the answer");
        assert.ok(
          [undefined, bytes.byteLength].includes(answer.sizeBytes),
          `sizeBytes is ${answer.sizeBytes}`,
        );
      }
    },
  },
  {
    name: "done: an answer may have no bytes",
    leaveOut: needs("answer"),
    async run(fixture) {
      fixture.act({ act: "answer", body: () => pieces(), contentType: "text/plain" });
      const answer = answerOf(await outcomeOf(fixture), "done");
      assert.equal((await readAll(answer.body)).byteLength, 0);
    },
  },
  {
    name: "done: the answer's disposition is told",
    leaveOut: needs("answer"),
    async run(fixture) {
      const disposition = 'attachment; filename="a b.csv"';
      fixture.act({ act: "answer", body: () => pieces("a,b"), contentType: "text/csv", disposition });
      const answer = answerOf(await outcomeOf(fixture), "done");
      await readAll(answer.body);
      assert.equal(answer.disposition, disposition);
    },
  },
  {
    name: "accepted: the server works in the background, under the name that it gave the run",
    leaveOut: needs("accept"),
    async run(fixture) {
      const outcome = await beginRun(fixture);
      assert.ok(outcome.kind === "accepted", `the outcome is ${outcome.kind}`);
      const [call] = fixture.received;
      if (call?.runId !== undefined) assert.equal(outcome.runId, call.runId);
    },
  },
  {
    name: "refused: no connection",
    leaveOut: ({ unreachable }) => (unreachable === undefined ? "the fixture has no such server" : undefined),
    async run(fixture) {
      const outcome = await outcomeOf(fixture, { server: fixture.unreachable ?? fixture.server });
      assert.deepEqual(told(outcome), { kind: "refused", reason: "unreachable" });
    },
  },
  {
    name: "refused: the server is busy; when to come back and which run keeps it so are told",
    leaveOut: needs("busy"),
    async run(fixture) {
      fixture.act({ act: "busy", retryAfterMs: 2000, blockingRunId: "run-7" });
      const outcome = await outcomeOf(fixture);
      assert.deepEqual(told(outcome), {
        kind: "refused",
        reason: "busy",
        retryAfterMs: 2000,
        blockingRunId: "run-7",
      });
      fixture.act({ act: "busy" });
      const other = await outcomeOf(fixture);
      assert.ok(other.kind === "refused" && other.reason === "busy", `the outcome is ${other.kind}`);
      assert.equal(other.retryAfterMs, undefined, "when to come back, which the server did not say");
    },
  },
  ...(["starting", "draining"] as const).map(
    (act): ServerProtocolTest => ({
      name: `refused: the server is ${act}`,
      leaveOut: needs(act),
      async run(fixture) {
        fixture.act({ act });
        const outcome = await outcomeOf(fixture);
        assert.ok(outcome.kind === "refused" && outcome.reason === act, `the outcome is ${outcome.kind}`);
      },
    }),
  ),
  {
    name: "broken: the connection was reset after the send",
    leaveOut: needs("reset"),
    async run(fixture) {
      fixture.act({ act: "reset" });
      assert.deepEqual(told(await outcomeOf(fixture)), { kind: "broken", reason: "reset" });
    },
  },
  {
    name: "broken: what stands before the server had no answer of it",
    leaveOut: needs("bad_gateway"),
    async run(fixture) {
      fixture.act({ act: "bad_gateway" });
      assert.deepEqual(told(await outcomeOf(fixture)), { kind: "broken", reason: "bad_gateway" });
    },
  },
  {
    name: "broken: no answer began within the time limit, and the connection is closed",
    leaveOut: needs("hang"),
    async run(fixture) {
      fixture.act({ act: "hang" });
      const outcome = await outcomeOf(fixture, { timeoutMs: SHORT_MS });
      assert.deepEqual(told(outcome), { kind: "broken", reason: "timeout" });
      await until("the server's connection is closed", () => fixture.received[0]?.isGivenUp === true);
    },
  },
  {
    name: "the time limit is for the beginning of an answer, not for its body",
    leaveOut: needs("answer"),
    async run(fixture) {
      const slow = async function* (): AsyncGenerator<Uint8Array> {
        yield textBytes("first, ");
        await pause(1.5 * SHORT_MS);
        yield textBytes("last");
      };
      fixture.act({ act: "answer", body: slow, contentType: "text/plain" });
      const answer = answerOf(await outcomeOf(fixture, { timeoutMs: SHORT_MS }), "done");
      assert.equal(new TextDecoder().decode(await readAll(answer.body)), "first, last");
    },
  },
  {
    name: "rejected: the server will not do it, and its answer is kept",
    leaveOut: needs("reject"),
    async run(fixture) {
      const bytes = testBytes(500, 3);
      const contentType = "application/json";
      fixture.act({ act: "reject", bytes, contentType });
      const answer = answerOf(await outcomeOf(fixture), "rejected");
      assert.equal(answer.contentType, contentType);
      assertBytes(await readAll(answer.body), bytes, "the answer");
    },
  },
  {
    name: "an answer that breaks off in the middle throws SERVER_BROKE_OFF to its reader",
    leaveOut: needs("break_off"),
    async run(fixture) {
      fixture.act({ act: "break_off", first: textBytes("only the beg") });
      const outcome = await outcomeOf(fixture);
      // It may break before the protocol has seen an answer begin.
      if (outcome.kind === "broken") return;
      const { body } = answerOf(outcome, "done");
      const error = await rejectionOf("reading the answer", () => readAll(body));
      assert.ok(GatewayError.is(error, "SERVER_BROKE_OFF"), `it threw ${String(error)}`);
    },
  },
  {
    name: "onSend is called once, before the server has the first byte",
    leaveOut: needs("answer"),
    async run(fixture) {
      const atSend: number[] = [];
      const onSend = (): void => void atSend.push(fixture.received.length);
      fixture.act(ANSWER);
      for (const payload of [textBytes("bytes"), pieces("a ", "stream")]) {
        const outcome = await outcomeOf(fixture, { onSend, payload, sizeBytes: payloadSize(payload) });
        await readAll(answerOf(outcome, "done").body);
      }
      assert.deepEqual(atSend, [0, 1], "calls that the server had when onSend was called");
    },
  },
  {
    name: "onSend is not called when there was no connection",
    leaveOut: ({ unreachable }) => (unreachable === undefined ? "the fixture has no such server" : undefined),
    async run(fixture) {
      let calls = 0;
      const onSend = (): void => {
        calls += 1;
      };
      const call = callOf(fixture, { server: fixture.unreachable ?? fixture.server, onSend });
      // What it must come to is another rule's affair.
      await settles(
        "call",
        fixture.protocol.call(call).catch(() => {}),
      );
      assert.equal(calls, 0, "calls of onSend");
    },
  },
  {
    name: "a call is sent once, whatever came of it",
    leaveOut: needs("reset"),
    async run(fixture) {
      const acts: readonly ServerAct[] = [
        { act: "reset" },
        { act: "hang" },
        { act: "bad_gateway" },
        { act: "busy", retryAfterMs: 1 },
        { act: "break_off", first: textBytes("only the beg") },
      ];
      const possible = acts.filter(({ act }) => fixture.acts.includes(act));
      for (const [at, act] of possible.entries()) {
        fixture.act(act);
        const limit = act.act === "hang" ? { timeoutMs: SHORT_MS } : {};
        const outcome = await outcomeOf(fixture, limit);
        if (outcome.kind === "done") await readAll(outcome.answer.body).catch(() => {});
        assert.equal(fixture.received.length, at + 1, `calls that the server had after "${act.act}"`);
      }
      await pause();
      assert.equal(fixture.received.length, possible.length, "calls that the server had in the end");
    },
  },
  {
    name: "an abort reaches the server as a closed connection, and rejects with the reason",
    leaveOut: needs("hang"),
    async run(fixture) {
      fixture.act({ act: "hang" });
      const controller = new AbortController();
      const reason = new Error("enough");
      const calling = rejectionOf("call", () =>
        fixture.protocol.call(callOf(fixture), { signal: controller.signal }),
      );
      await until("the server has the call", () => fixture.received.length === 1);
      await settles<unknown>("the payload", fixture.received[0]?.body ?? Promise.resolve());
      controller.abort(reason);
      assert.equal(await calling, reason, "what call rejects with is signal.reason itself");
      await until("the server's connection is closed", () => fixture.received[0]?.isGivenUp === true);
    },
  },
];

/** An outcome without a body, and without what was left open in it. */
function told(outcome: CallOutcome): unknown {
  return JSON.parse(JSON.stringify(outcome));
}

async function* split(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(0, 7);
  yield bytes.subarray(7);
}

function payloadSize(payload: unknown): number {
  return payload instanceof Uint8Array ? payload.byteLength : "a stream".length;
}
