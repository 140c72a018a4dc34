import type {
  HeaderList,
  PassedRequest,
  PassOutcome,
  PassThrough,
  ServerProtocol,
} from "../../../../src/contracts/server-protocol.ts";
import type { ServerProtocolFixture } from "../../../../src/testing/server-protocol-kit/fixture.ts";
import { openCms } from "../../server-protocol-cms.ts";
import type { PlantedFault } from "../lifecycle/failing-tests.ts";

function planted(
  fault: string,
  breaks: string,
  change: (good: PassThrough) => PassThrough["send"],
): PlantedFault<ServerProtocolFixture> {
  const changed = (protocol: ServerProtocol): Partial<ServerProtocol> => {
    const { pass } = protocol;
    if (pass === undefined) throw new Error("the protocol passes nothing");
    return { pass: { ...pass, send: change(pass) } };
  };
  return { fault, breaks, open: () => openCms(changed) };
}

/** What a fault makes of a request. */
function requests(change: (request: PassedRequest) => PassedRequest) {
  return ({ send }: PassThrough): PassThrough["send"] =>
    (request, options) =>
      send(change(request), options);
}

/** What a fault makes of an outcome. */
function outcomes(change: (outcome: PassOutcome) => PassOutcome | Promise<PassOutcome>) {
  return ({ send }: PassThrough): PassThrough["send"] =>
    async (request, options) =>
      await change(await send(request, options));
}

function answers(change: (headers: HeaderList) => HeaderList) {
  return outcomes((outcome) => {
    if (outcome.kind !== "answered") return outcome;
    return { ...outcome, answer: { ...outcome.answer, headers: change(outcome.answer.headers) } };
  });
}

export const PASSING_FAULTS: readonly PlantedFault<ServerProtocolFixture>[] = [
  {
    fault: "has a pass that it does not claim",
    breaks: "pass is there if it is claimed, and only then",
    open: () =>
      openCms(({ capabilities }) => ({ capabilities: { ...capabilities, passes: false, upgrades: false } })),
  },
  planted(
    "cleans the path up",
    "pass: method, path, query and headers reach the server as they were given, also those that come again",
    requests((request) => ({ ...request, path: request.path.replace(/\/+/g, "/") })),
  ),
  planted(
    "keeps one header of each name",
    "pass: method, path, query and headers reach the server as they were given, also those that come again",
    requests((request) => ({
      ...request,
      headers: [...new Map(request.headers.map((header) => [header[0].toLowerCase(), header])).values()],
    })),
  ),
  planted(
    "takes a server's refusal for its own",
    "pass: payload and answer go through byte for byte, with whatever status",
    outcomes((outcome) => {
      if (outcome.kind !== "answered" || outcome.answer.status < 500) return outcome;
      return { kind: "broken", reason: "bad_gateway" };
    }),
  ),
  planted(
    "keeps one cookie",
    "pass: the answer's headers come back as they are, also those that come again",
    answers((headers) => [...new Map(headers.map((header) => [header[0].toLowerCase(), header])).values()]),
  ),
  planted(
    "hands on what was said about its connection",
    "pass: headers about one connection go no further, neither there nor back",
    answers((headers) => [...headers, ["Keep-Alive", "timeout=99"]]),
  ),
  planted(
    "collects an answer",
    "pass: each piece of an answer reaches its reader before the next is made",
    outcomes((outcome) => {
      if (outcome.kind !== "answered") return outcome;
      const { body } = outcome.answer;
      return { ...outcome, answer: { ...outcome.answer, body: inPairs(body) } };
    }),
  ),
  planted(
    "lets the server work on after a hang-up",
    "pass: an abort reaches the server at once, before the answer and in the middle of it",
    ({ send }) =>
      (request, options) => {
        options?.signal?.throwIfAborted();
        return orAborted(send(request), options?.signal);
      },
  ),
  planted(
    "sends a GET again",
    "pass: a request is sent once, whatever comes of it",
    ({ send }) =>
      async (request, options) => {
        const outcome = await send(request, options);
        const isReset = outcome.kind === "broken" && outcome.reason === "reset";
        return isReset && request.method === "GET" ? await send(request, options) : outcome;
      },
  ),
  planted(
    "reads a payload that it cannot send",
    "pass: without a connection nothing is touched",
    ({ send }) =>
      async (request, options) => {
        const outcome = await send(request, options);
        const { payload } = request;
        if (outcome.kind === "unsent" && payload !== undefined && !(payload instanceof Uint8Array)) {
          await payload[Symbol.asyncIterator]().next();
        }
        return outcome;
      },
  ),
  planted(
    "mends headers",
    "pass: what cannot be written as a request is refused, and nothing of it is sent",
    requests((request) => ({
      ...request,
      headers: request.headers.map(([name, value]) => [name, value.replace(/[\r\n]/g, "")] as const),
    })),
  ),
  planted(
    "forgets its listener",
    "pass: a signal that was aborted before is heeded, and no listener is left on one that was not",
    ({ send }) =>
      (request, options) => {
        options?.signal?.addEventListener("abort", () => {});
        return send(request, options);
      },
  ),
];

async function* inPairs(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array | undefined;
  for await (const piece of body) {
    if (held !== undefined) yield held;
    held = piece;
  }
  if (held !== undefined) yield held;
}

function orAborted(sending: Promise<PassOutcome>, signal: AbortSignal | undefined): Promise<PassOutcome> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    sending
      .then(
        (outcome) =>
          resolve(
            outcome.kind === "answered"
              ? { ...outcome, answer: { ...outcome.answer, body: watched(outcome.answer.body, signal) } }
              : outcome,
          ),
        reject,
      )
      .finally(() => signal?.removeEventListener("abort", onAbort));
  });
}

/** Throws as it should, and leaves the connection as it is. */
async function* watched(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const reader = body[Symbol.asyncIterator]();
  for (;;) {
    let stop = (): void => {};
    const aborted = new Promise<never>((_resolve, reject) => {
      stop = () => reject(signal?.reason);
      signal?.addEventListener("abort", stop);
    });
    aborted.catch(() => {});
    const next = await Promise.race([reader.next(), aborted]).finally(() =>
      signal?.removeEventListener("abort", stop),
    );
    if (next.done === true) return;
    yield next.value;
  }
}
