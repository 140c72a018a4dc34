import assert from "node:assert/strict";
import type { ByteStream } from "../../contracts/common.ts";
import { assertBytes, inPieces, MIB, readAll, testBytes } from "../checks/bytes.ts";
import { HandFedBody } from "../checks/hand-fed-body.ts";
import { leaveNoListener, rejectionOf } from "../checks/rejections.ts";
import { pause, settles, until } from "../checks/waiting.ts";
import { answerOf, callOf, needs, outcomeOf, type ServerProtocolTest } from "./fixture.ts";

const LARGE_PIECES = 64;
/** What connections and the buffers at their ends may hold, with room to spare. */
const MOST_PULLED = 32;

/** Nothing is lost on the way, and nothing is held whole. */
export const payloads: readonly ServerProtocolTest[] = [
  {
    name: "a payload reaches the server byte for byte, as bytes or as a stream",
    leaveOut: needs("answer"),
    async run(fixture) {
      fixture.act({ act: "answer", body: () => nothing(), contentType: "text/plain" });
      const bytes = testBytes(5000, 4);
      for (const payload of [bytes, inPieces(bytes, [1, 1000, 3])]) {
        const outcome = await outcomeOf(fixture, { payload, sizeBytes: bytes.byteLength });
        await readAll(answerOf(outcome, "done").body);
        const body = await settles("the payload", fixture.received.at(-1)?.body ?? Promise.reject(missing()));
        assertBytes(body, bytes, "the payload");
      }
    },
  },
  {
    name: "a payload may have no bytes",
    leaveOut: needs("answer"),
    async run(fixture) {
      fixture.act({ act: "answer", body: () => nothing(), contentType: "text/plain" });
      for (const payload of [new Uint8Array(), nothing()]) {
        const outcome = await outcomeOf(fixture, { payload, sizeBytes: 0 });
        await readAll(answerOf(outcome, "done").body);
        assert.equal((await fixture.received.at(-1)?.body)?.byteLength, 0);
      }
    },
  },
  {
    name: "payloads and answers of several MiB pass through exactly",
    leaveOut: needs("answer"),
    timeoutMs: 60_000,
    async run(fixture) {
      const sent = testBytes(6 * MIB + 1, 5);
      const answered = testBytes(5 * MIB + 3, 6);
      const contentType = "application/octet-stream";
      fixture.act({ act: "answer", body: () => inPieces(answered, [70_000, 1]), contentType });
      const outcome = await outcomeOf(fixture, {
        payload: inPieces(sent, [100_000, 17]),
        sizeBytes: sent.byteLength,
      });
      assertBytes(await readAll(answerOf(outcome, "done").body), answered, "the answer");
      const body = await settles("the payload", fixture.received[0]?.body ?? Promise.reject(missing()));
      assertBytes(body, sent, "the payload");
    },
  },
  {
    name: "a payload stream is read once",
    leaveOut: needs("answer"),
    async run(fixture) {
      fixture.act({ act: "answer", body: () => nothing(), contentType: "text/plain" });
      const bytes = testBytes(1000, 7);
      let reads = 0;
      const payload: ByteStream = {
        [Symbol.asyncIterator]() {
          reads += 1;
          return inPieces(bytes, [100]);
        },
      };
      const outcome = await outcomeOf(fixture, { payload, sizeBytes: bytes.byteLength });
      await readAll(answerOf(outcome, "done").body);
      assert.equal(reads, 1, "how often it was begun");
    },
  },
  {
    name: "the query reaches the server as it was given",
    leaveOut: needs("answer"),
    async run(fixture) {
      fixture.act({ act: "answer", body: () => nothing(), contentType: "text/plain" });
      const queries = [
        "",
        "a=1",
        "a=2&a=1&a=2",
        "b=&c&=d&&e=%2F%2f",
        "t=a+b%20c&%C3%A4=%e4",
        "u=x/y?z:@!$'()*,;",
      ];
      for (const query of queries) {
        await readAll(answerOf(await outcomeOf(fixture, { query }), "done").body);
        assert.equal(fixture.received.at(-1)?.query, query);
      }
    },
  },
  {
    name: "the payload's type reaches the server with its parameters",
    leaveOut: needs("answer"),
    async run(fixture) {
      fixture.act({ act: "answer", body: () => nothing(), contentType: "text/plain" });
      const base = fixture.operation.contentType;
      for (const contentType of [base, `${base}; charset=ISO-8859-1`, `${base};Charset="x y";b=1`]) {
        await readAll(answerOf(await outcomeOf(fixture, { contentType }), "done").body);
        assert.equal(fixture.received.at(-1)?.contentType, contentType);
      }
    },
  },
  {
    name: "an answer is read at its reader's pace",
    leaveOut: needs("answer"),
    async run(fixture) {
      let pulled = 0;
      const body = async function* (): ByteStream {
        for (; pulled < LARGE_PIECES; pulled += 1) yield new Uint8Array(MIB);
      };
      fixture.act({ act: "answer", body, contentType: "application/octet-stream" });
      const answer = answerOf(await outcomeOf(fixture), "done");
      const iterator = answer.body[Symbol.asyncIterator]();
      await settles("the first piece", iterator.next());
      await pause(300);
      const inBetween = pulled;
      await iterator.return?.();
      assert.ok(inBetween < MOST_PULLED, `${inBetween} of ${LARGE_PIECES} MiB were taken from the server`);
    },
  },
  {
    name: "an answer that is not wanted any more is let go of by return()",
    leaveOut: needs("answer"),
    async run(fixture) {
      let isOver = false;
      const body = async function* (): ByteStream {
        try {
          for (let at = 0; at < LARGE_PIECES; at += 1) yield new Uint8Array(MIB);
        } finally {
          isOver = true;
        }
      };
      fixture.act({ act: "answer", body, contentType: "application/octet-stream" });
      const iterator = answerOf(await outcomeOf(fixture), "done").body[Symbol.asyncIterator]();
      await settles("the first piece", iterator.next());
      assert.ok(iterator.return !== undefined, "a body must have a return()");
      await settles("return", iterator.return());
      assert.equal((await settles("next after return", iterator.next())).done, true);
      await until("the server has stopped sending", () => isOver);
    },
  },
  {
    name: "a payload that throws is not the server's doing: call rejects with what it threw",
    leaveOut: needs("answer"),
    async run(fixture) {
      fixture.act({ act: "answer", body: () => nothing(), contentType: "text/plain" });
      const failure = new Error("the payload is lost");
      const payload = (async function* (): ByteStream {
        yield new Uint8Array(10);
        throw failure;
      })();
      const error = await rejectionOf("call", () =>
        fixture.protocol.call(callOf(fixture, { payload, sizeBytes: 100 })),
      );
      assert.equal(error, failure, "what call rejects with");
    },
  },
  {
    name: "an abort in the middle of a payload reaches the server, and rejects with the reason",
    leaveOut: needs("answer"),
    async run(fixture) {
      fixture.act({ act: "answer", body: () => nothing(), contentType: "text/plain" });
      const controller = new AbortController();
      const reason = new Error("enough");
      const payload = new HandFedBody();
      const call = callOf(fixture, { payload, sizeBytes: 100 });
      const calling = rejectionOf("call", () => fixture.protocol.call(call, { signal: controller.signal }));
      payload.give(new Uint8Array(10));
      await until("the payload is read", () => payload.isAwaited);
      await until("the server has the call", () => fixture.received.length === 1);
      controller.abort(reason);
      assert.equal(await calling, reason, "what call rejects with is signal.reason itself");
      await until("the server's connection is closed", () => fixture.received[0]?.isGivenUp === true);
    },
  },
  {
    name: "a call with a signal that was aborted before reaches nobody",
    leaveOut: needs("answer"),
    async run(fixture) {
      fixture.act({ act: "answer", body: () => nothing(), contentType: "text/plain" });
      const reason = new Error("enough");
      let isSent = false;
      const onSend = (): void => {
        isSent = true;
      };
      const error = await rejectionOf("call", () =>
        fixture.protocol.call(callOf(fixture, { onSend }), { signal: AbortSignal.abort(reason) }),
      );
      assert.equal(error, reason, "what call rejects with");
      await pause();
      assert.equal(fixture.received.length, 0, "calls that the server had");
      assert.ok(!isSent, "onSend was called");
    },
  },
  {
    name: "a call that is over has left no listener on the caller's signal",
    leaveOut: needs("answer"),
    async run(fixture) {
      const { protocol, server } = fixture;
      fixture.act({ act: "answer", body: () => nothing(), contentType: "text/plain" });
      await leaveNoListener({
        async call(options) {
          const outcome = await protocol.call(callOf(fixture), options);
          await readAll(answerOf(outcome, "done").body);
        },
        probe: (options) => protocol.probe(server, options),
        async info(options) {
          const answer = await protocol.info(server, options);
          if (answer !== undefined) await readAll(answer.body);
        },
      });
    },
  },
];

async function* nothing(): AsyncGenerator<Uint8Array> {}

function missing(): Error {
  return new Error("no call has reached the server");
}
