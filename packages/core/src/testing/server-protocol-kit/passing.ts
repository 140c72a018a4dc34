import assert from "node:assert/strict";
import type {
  HeaderList,
  PassedAnswer,
  PassedRequest,
  PassOutcome,
  PassThrough,
} from "../../contracts/server-protocol.ts";
import { assertBytes, bodyOf, inPieces, readAll, testBytes } from "../checks/bytes.ts";
import { HandFedBody } from "../checks/hand-fed-body.ts";
import { leaveNoListener, rejectionOf, rejectsWith, rejectWhenAborted } from "../checks/rejections.ts";
import { pause, settles, until } from "../checks/waiting.ts";
import type { ReceivedPass, ServerProtocolFixture, ServerProtocolTest } from "./fixture.ts";

/** A hang-up reaches the server within 100 ms; on a busy machine, within as many turns of this process. */
const HANG_UP_TURNS = 10;
const TURN_MS = 10;

const passesNothing = ({ protocol }: ServerProtocolFixture): string | undefined =>
  protocol.capabilities.passes ? undefined : "it does not claim to pass requests on";
const isAlwaysReached = (fixture: ServerProtocolFixture): string | undefined =>
  passesNothing(fixture) ??
  (fixture.unreachable === undefined ? "the fixture has no server that cannot be reached" : undefined);

/** Requests that go straight to a server. */
export const passing: readonly ServerProtocolTest[] = [
  {
    name: "pass is there if it is claimed, and only then",
    async run({ protocol: { pass, capabilities } }) {
      assert.equal(pass !== undefined, capabilities.passes, "whether there is a pass");
      assert.ok(capabilities.passes || !capabilities.upgrades, "what upgrades must pass, too");
    },
  },
  {
    name: "pass: method, path, query and headers reach the server as they were given, also those that come again",
    leaveOut: passesNothing,
    async run(fixture) {
      act(fixture, { status: 200, headers: [], body: () => bodyOf() });
      const path = "/straight/a%2Fb//%c3%a9;x=1/";
      const query = "a=1&a=2&b=+%20&%zz&=&&c";
      const headers: HeaderList = [
        ["X-One", "1"],
        ["accept-language", "en"],
        ["x-one", "2"],
      ];
      for (const method of ["GET", "DELETE", "OPTIONS"]) {
        await readAll(answerIn(await sendTo(fixture, { method, path, query, headers })).body);
        const received = lastOf(fixture);
        assert.equal(received.method, method);
        assert.ok(received.target.endsWith(`${path}?${query}`), `the target is ${received.target}`);
        const names = headers.map(([name]) => name.toLowerCase());
        assert.deepEqual(
          received.headers.filter(([name]) => names.includes(name.toLowerCase())),
          headers,
        );
      }
    },
  },
  {
    name: "pass: payload and answer go through byte for byte, with whatever status",
    leaveOut: passesNothing,
    async run(fixture) {
      const sent = testBytes(300_000, 4);
      const answered = testBytes(200_000, 5);
      for (const [status, payload] of [
        [201, sent],
        [404, inPieces(sent, [1, 70_000])],
        [503, inPieces(sent, [65_536])],
      ] as const) {
        act(fixture, { status, headers: [], body: () => inPieces(answered, [9, 50_000]) });
        const answer = answerIn(await sendTo(fixture, { method: "POST", payload }));
        assert.equal(answer.status, status);
        assertBytes(await readAll(answer.body), answered, "the answer");
        assertBytes(await settles("the payload", lastOf(fixture).body), sent, "the payload");
      }
    },
  },
  {
    name: "pass: the answer's headers come back as they are, also those that come again",
    leaveOut: passesNothing,
    async run(fixture) {
      const headers: HeaderList = [
        ["Set-Cookie", "a=1"],
        ["X-Own", "x"],
        ["Set-Cookie", "b=2"],
      ];
      act(fixture, { status: 200, headers, body: () => bodyOf("x") });
      const answer = answerIn(await sendTo(fixture));
      await readAll(answer.body);
      const names = ["set-cookie", "x-own"];
      assert.deepEqual(
        answer.headers.filter(([name]) => names.includes(name.toLowerCase())),
        headers,
      );
    },
  },
  {
    name: "pass: headers about one connection go no further, neither there nor back",
    leaveOut: passesNothing,
    async run(fixture) {
      const hop: HeaderList = [
        ["Connection", "X-Hop"],
        ["X-Hop", "1"],
        ["Keep-Alive", "timeout=99"],
        ["Proxy-Authenticate", "Basic"],
      ];
      act(fixture, { status: 200, headers: hop, body: () => bodyOf("x") });
      const answer = answerIn(
        await sendTo(fixture, { headers: [...hop, ["TE", "trailers"], ["Host", "x"]] }),
      );
      await readAll(answer.body);
      const left = ["x-hop", "keep-alive", "proxy-authenticate"];
      const isLeft = ([name, value]: readonly [string, string]): boolean =>
        left.includes(name.toLowerCase()) || (name.toLowerCase() === "host" && value === "x");
      assert.deepEqual(lastOf(fixture).headers.filter(isLeft), [], "headers that reached the server");
      assert.deepEqual(answer.headers.filter(isLeft), [], "headers that came back");
    },
  },
  {
    name: "pass: each piece of an answer reaches its reader before the next is made",
    leaveOut: passesNothing,
    async run(fixture) {
      const body = new HandFedBody();
      act(fixture, { status: 200, headers: [["Content-Type", "text/event-stream"]], body: () => body });
      const reader = answerIn(await sendTo(fixture)).body[Symbol.asyncIterator]();
      for (const text of ["data: 1\n\n", "data: 2\n\n"]) {
        body.give(Buffer.from(text));
        const { value } = await settles("the piece", reader.next());
        assert.equal(Buffer.from(value ?? []).toString(), text);
      }
      body.give("end");
      assert.equal((await settles("the end", reader.next())).done, true);
    },
  },
  {
    name: "pass: an abort reaches the server at once, before the answer and in the middle of it",
    leaveOut: passesNothing,
    async run(fixture) {
      const reason = new Error("the caller's own reason");
      for (const when of ["before", "in the middle"]) {
        const controller = new AbortController();
        const body = new HandFedBody();
        if (when === "before") fixture.passing?.act({ act: "hang" });
        else act(fixture, { status: 200, headers: [], body: () => body });
        const had = receivedBy(fixture).length;
        const sending = passOf(fixture).send(requestTo(fixture), { signal: controller.signal });
        sending.catch(() => {});
        const reader = when === "before" ? undefined : answerIn(await sending).body[Symbol.asyncIterator]();
        await until("the request is there", () => receivedBy(fixture).length > had);
        const next = reader?.next();
        next?.catch(() => {});
        controller.abort(reason);
        const error = await rejectionOf(`an abort ${when}`, () => next ?? sending);
        assert.equal(error, reason, `an abort ${when} must give its own reason`);
        for (let turn = 0; turn < HANG_UP_TURNS && !lastOf(fixture).isGivenUp; turn += 1)
          await pause(TURN_MS);
        assert.ok(lastOf(fixture).isGivenUp, `the server has not noticed an abort ${when}`);
        body.give("end");
      }
    },
  },
  {
    name: "pass: a request is sent once, whatever comes of it",
    leaveOut: passesNothing,
    async run(fixture) {
      fixture.passing?.act({ act: "reset" });
      for (const method of ["GET", "POST"]) {
        const had = receivedBy(fixture).length;
        assert.deepEqual(await sendTo(fixture, { method }), { kind: "broken", reason: "reset" });
        await pause();
        assert.equal(receivedBy(fixture).length - had, 1, "requests that reached the server");
      }
      fixture.passing?.act({ act: "hang" });
      const outcome = await sendTo(fixture, { timeoutMs: 60 });
      assert.deepEqual(outcome, { kind: "broken", reason: "timeout" });
    },
  },
  {
    name: "pass: without a connection nothing is touched",
    leaveOut: isAlwaysReached,
    async run(fixture) {
      const server = fixture.unreachable ?? fixture.server;
      const payload = bodyOf("once");
      const outcome = await sendTo(fixture, { server, method: "POST", payload });
      assert.deepEqual(outcome, { kind: "unsent" });
      assert.equal(Buffer.from(await readAll(payload)).toString(), "once");
    },
  },
  {
    name: "pass: what cannot be written as a request is refused, and nothing of it is sent",
    leaveOut: passesNothing,
    async run(fixture) {
      act(fixture, { status: 200, headers: [], body: () => bodyOf() });
      for (const parts of [
        { method: "GET / HTTP/1.1\r\nX: " },
        { path: "/straight\r\nX: y" },
        { headers: [["X", "a\r\nY: b"]] },
        { headers: [["X Y", "a"]] },
      ] as const) {
        const field = Object.keys(parts)[0] ?? "";
        await rejectsWith("INVALID_REQUEST", `a ${field} with a line break`, () => sendTo(fixture, parts));
      }
      assert.equal(receivedBy(fixture).length, 0, "requests that reached the server");
    },
  },
  {
    name: "pass: a signal that was aborted before is heeded, and no listener is left on one that was not",
    leaveOut: passesNothing,
    async run(fixture) {
      act(fixture, { status: 200, headers: [], body: () => bodyOf("x") });
      await rejectWhenAborted({ send: (options) => passOf(fixture).send(requestTo(fixture), options) });
      assert.equal(receivedBy(fixture).length, 0, "requests that reached the server");
      await leaveNoListener({
        send: async (options) =>
          await readAll(answerIn(await passOf(fixture).send(requestTo(fixture), options)).body),
      });
    },
  },
];

function act(
  { passing }: ServerProtocolFixture,
  answer: {
    readonly status: number;
    readonly headers: HeaderList;
    readonly body: () => PassedAnswer["body"];
  },
): void {
  passing?.act({ act: "answer", ...answer });
}

function receivedBy({ passing }: ServerProtocolFixture): readonly ReceivedPass[] {
  assert.ok(passing !== undefined, "it claims to pass requests on: give the fixture passing, to show it");
  return passing.received;
}

function lastOf(fixture: ServerProtocolFixture): ReceivedPass {
  const last = receivedBy(fixture).at(-1);
  assert.ok(last !== undefined, "no request has reached the server");
  return last;
}

function passOf({ protocol }: ServerProtocolFixture): PassThrough {
  assert.ok(protocol.pass !== undefined, "it claims to pass requests on, and has no pass");
  return protocol.pass;
}

function requestTo({ server }: ServerProtocolFixture, parts: Partial<PassedRequest> = {}): PassedRequest {
  return { server, method: "GET", path: "/straight", query: "", headers: [], timeoutMs: 20_000, ...parts };
}

async function sendTo(fixture: ServerProtocolFixture, parts?: Partial<PassedRequest>): Promise<PassOutcome> {
  receivedBy(fixture);
  return await settles("send", passOf(fixture).send(requestTo(fixture, parts)));
}

function answerIn(outcome: PassOutcome): PassedAnswer {
  assert.ok(outcome.kind === "answered", `the outcome is ${outcome.kind}`);
  return outcome.answer;
}
