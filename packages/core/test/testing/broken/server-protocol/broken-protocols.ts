import type { ByteStream } from "../../../../src/contracts/common.ts";
import type {
  CallOutcome,
  ServerAnswer,
  ServerCall,
  ServerProtocol,
} from "../../../../src/contracts/server-protocol.ts";
import { GatewayError } from "../../../../src/errors.ts";
import type { ServerProtocolFixture } from "../../../../src/testing/server-protocol-kit/fixture.ts";
import { openCms } from "../../server-protocol-cms.ts";
import type { PlantedFault } from "../lifecycle/failing-tests.ts";

function planted(
  fault: string,
  breaks: string,
  change: (good: ServerProtocol) => Partial<ServerProtocol>,
): PlantedFault<ServerProtocolFixture> {
  return { fault, breaks, open: () => openCms(change) };
}

/** What a fault makes of an outcome. */
function outcomes(change: (outcome: CallOutcome) => CallOutcome | Promise<CallOutcome>) {
  return (good: ServerProtocol): Partial<ServerProtocol> => ({
    call: async (call, options) => await change(await good.call(call, options)),
  });
}

export const PROTOCOL_FAULTS: readonly PlantedFault<ServerProtocolFixture>[] = [
  planted("tries again after a reset", "a call is sent once, whatever came of it", (good) => ({
    async call(call, options) {
      const outcome = await good.call(call, options);
      const isReset = outcome.kind === "broken" && outcome.reason === "reset";
      return isReset ? await good.call({ ...call, onSend: () => {} }, options) : outcome;
    },
  })),
  planted(
    "says that it sends when it has sent",
    "onSend is called once, before the server has the first byte",
    (good) => ({
      async call(call, options) {
        let isSent = false;
        const outcome = await good.call({ ...call, onSend: () => (isSent = true) }, options);
        if (isSent) call.onSend();
        return outcome;
      },
    }),
  ),
  planted(
    "says that it sends before it has a connection",
    "onSend is not called when there was no connection",
    (good) => ({
      call(call, options) {
        options?.signal?.throwIfAborted();
        let isSent = false;
        const onSend = (): void => {
          if (!isSent) call.onSend();
          isSent = true;
        };
        onSend();
        return good.call({ ...call, onSend }, options);
      },
    }),
  ),
  planted(
    "takes texts for UTF-8",
    "done: the server's answer, byte for byte, with its type",
    outcomes((outcome) => {
      if (outcome.kind !== "done" || outcome.answer.contentType !== "application/x-ndjson") return outcome;
      return { ...outcome, answer: { ...outcome.answer, body: decoded(outcome.answer.body) } };
    }),
  ),
  planted(
    "cleans the query up",
    "the query reaches the server as it was given",
    changingCall((call) => ({ ...call, query: new URLSearchParams(call.query).toString() })),
  ),
  planted(
    "drops the parameters of the payload's type",
    "the payload's type reaches the server with its parameters",
    changingCall((call) => ({ ...call, contentType: call.contentType?.split(";")[0] })),
  ),
  planted(
    "lets the server work on after an abort",
    "an abort reaches the server as a closed connection, and rejects with the reason",
    (good) => ({
      async call(call, options) {
        const signal = options?.signal;
        if (signal === undefined || signal.aborted || !(call.payload instanceof Uint8Array)) {
          return await good.call(call, options);
        }
        return await new Promise((resolve, reject) => {
          const onAbort = (): void => reject(signal.reason);
          signal.addEventListener("abort", onAbort, { once: true });
          good
            .call(call)
            .finally(() => signal.removeEventListener("abort", onAbort))
            .then(resolve, reject);
        });
      },
    }),
  ),
  planted(
    "rejects when nobody listens",
    "refused: no connection",
    outcomes((outcome) => {
      if (outcome.kind !== "refused" || outcome.reason !== "unreachable") return outcome;
      throw new GatewayError("SERVER_UNREACHABLE", "nobody listens");
    }),
  ),
  planted(
    "takes a time limit for a reset",
    "broken: no answer began within the time limit, and the connection is closed",
    outcomes((outcome) =>
      outcome.kind === "broken" && outcome.reason === "timeout"
        ? { kind: "broken", reason: "reset" }
        : outcome,
    ),
  ),
  planted(
    "does not pass on when to come back",
    "refused: the server is busy; when to come back and which run keeps it so are told",
    outcomes((outcome) => (outcome.kind === "refused" ? { ...outcome, retryAfterMs: undefined } : outcome)),
  ),
  planted(
    "ends an answer quietly that broke off",
    "an answer that breaks off in the middle throws SERVER_BROKE_OFF to its reader",
    outcomes((outcome) =>
      "answer" in outcome
        ? { ...outcome, answer: { ...outcome.answer, body: quiet(outcome.answer.body) } }
        : outcome,
    ),
  ),
  planted(
    "reads an answer whole before it hands it on",
    "an answer is read at its reader's pace",
    outcomes(async (outcome) =>
      outcome.kind === "done" ? { ...outcome, answer: await loaded(outcome.answer) } : outcome,
    ),
  ),
  planted(
    "throws a refusal's answer away",
    "rejected: the server will not do it, and its answer is kept",
    outcomes(async (outcome) => {
      if (outcome.kind !== "rejected") return outcome;
      for await (const _ of outcome.answer.body);
      return outcome;
    }),
  ),
  planted(
    "cancels whatever runs",
    "cancelRun asks the server to end the run that is meant, and no other",
    (good) => ({
      cancelRun: ({ server }, options) => good.cancelRun({ server, taskId: "task-1" }, options),
    }),
  ),
  planted(
    "is sure that there is no run when it cannot ask",
    "findRun resolves unclear where there is no connection",
    (good) => ({
      async findRun(query, options) {
        const report = await good.findRun(query, options);
        return report.run === "unclear" ? { ...report, run: "none" } : report;
      },
    }),
  ),
  planted(
    "writes what a server says of itself anew",
    "info is what the server says of itself, verbatim; undefined when it does not",
    (good) => ({
      async info(server, options) {
        const answer = await good.info(server, options);
        if (answer === undefined) return undefined;
        const text = JSON.stringify(JSON.parse(await textOf(answer.body)));
        return { ...answer, body: whole(new TextEncoder().encode(text)) };
      },
    }),
  ),
  planted(
    "quotes the address when there is no connection",
    "probe resolves not ready where there is no connection, and quotes no secret",
    (good) => ({
      async probe(server, options) {
        const report = await good.probe(server, options);
        return report.ready ? report : { ...report, reason: `no connection to ${server.url}` };
      },
    }),
  ),
];

function changingCall(change: (call: ServerCall) => ServerCall) {
  return (good: ServerProtocol): Partial<ServerProtocol> => ({
    call: (call, options) => good.call(change(call), options),
  });
}

async function* decoded(body: ByteStream): ByteStream {
  yield new TextEncoder().encode(await textOf(body));
}

async function textOf(body: ByteStream): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return new TextDecoder().decode(Buffer.concat(pieces));
}

async function* whole(bytes: Uint8Array): ByteStream {
  yield bytes;
}

async function* quiet(body: ByteStream): ByteStream {
  try {
    yield* body;
  } catch {
    // As if it had been all.
  }
}

/** The same answer with all of its body in memory; a break is thrown where it was. */
async function loaded(answer: ServerAnswer): Promise<ServerAnswer> {
  const pieces: Uint8Array[] = [];
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const piece of answer.body) pieces.push(piece);
  } catch (error) {
    failure = { error };
  }
  const body = async function* (): ByteStream {
    yield* pieces;
    if (failure !== undefined) throw failure.error;
  };
  return { ...answer, body: body() };
}
