import type { ByteStream } from "../../src/contracts/common.ts";
import type { CallOutcome, ServerAnswer } from "../../src/contracts/server-protocol.ts";
import { GatewayError } from "../../src/errors.ts";
import { type MemoryAnswer, type MemoryCall, memoryProtocol } from "../../src/memory/protocol.ts";
import type {
  ReceivedCall,
  ServerAct,
  ServerProtocolFixture,
} from "../../src/testing/server-protocol-kit/fixture.ts";

interface FunctionCall extends ReceivedCall {
  isGivenUp: boolean;
}

/** A function of this process as the server. */
export function openMemory(): ServerProtocolFixture {
  let act: ServerAct = { act: "hang" };
  let isReady = true;
  const received: FunctionCall[] = [];
  const cancelled: string[] = [];
  const runs = new Map<string, (answer: MemoryAnswer) => void>();

  async function handle(
    call: MemoryCall,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<MemoryAnswer> {
    const body = call.bytes();
    body.catch(() => {});
    const noted: FunctionCall = { query: call.query, contentType: call.contentType, body, isGivenUp: false };
    received.push(noted);
    signal.addEventListener("abort", () => {
      noted.isGivenUp = true;
    });
    await body;
    if (act.act !== "accept") return answerTo(act, signal);
    signal.addEventListener("abort", () => cancelled.push(call.taskId));
    return await new Promise<MemoryAnswer>((resolve) => runs.set(call.taskId, resolve));
  }

  const protocol = memoryProtocol({
    handle,
    isReady: () => isReady,
    operations: { process: {}, train: { background: true } },
  });
  return {
    protocol,
    server: { id: "s", url: "memory:s", models: ["m"], protocol: "memory", state: "ready" },
    operation: { name: "process", contentType: "text/plain" },
    background: { name: "train", contentType: "application/json" },
    acts: [
      ...(["answer", "accept", "busy", "starting", "draining", "reset", "hang"] as const),
      ...(["bad_gateway", "reject", "break_off"] as const),
    ],
    act: (next) => {
      act = next;
    },
    received,
    endRun: async (taskId, how) => runs.get(taskId)?.(how === "succeeded" ? "trained" : rejected()),
    cancelled,
    setReady: (ready) => {
      isReady = ready;
    },
    close: () => protocol.close(),
  };
}

function answerTo(
  act: Exclude<ServerAct, { act: "accept" }>,
  signal: AbortSignal,
): Promise<CallOutcome> | CallOutcome {
  if (act.act === "answer") {
    const { body, contentType, disposition } = act;
    return { kind: "done", answer: { body: body(), contentType, disposition } };
  }
  if (act.act === "hang") {
    return new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  }
  if (act.act === "busy") {
    return {
      kind: "refused",
      reason: "busy",
      retryAfterMs: act.retryAfterMs,
      blockingRunId: act.blockingRunId,
    };
  }
  if (act.act === "starting" || act.act === "draining") return { kind: "refused", reason: act.act };
  if (act.act === "reset" || act.act === "bad_gateway") return { kind: "broken", reason: act.act };
  if (act.act === "reject") return { kind: "rejected", answer: answerOf(act.contentType, act.bytes) };
  return { kind: "done", answer: { contentType: "text/plain", body: broken(act.first) } };
}

function rejected(): CallOutcome {
  return { kind: "rejected", answer: answerOf("text/plain", new TextEncoder().encode("it diverged")) };
}

function answerOf(contentType: string, bytes: Uint8Array): ServerAnswer {
  return { contentType, sizeBytes: bytes.byteLength, body: whole(bytes) };
}

async function* whole(bytes: Uint8Array): ByteStream {
  yield bytes;
}

async function* broken(first: Uint8Array): ByteStream {
  yield first;
  throw new GatewayError("SERVER_BROKE_OFF", "the function broke off in the middle of its answer");
}
