import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import type { ModelServer } from "../../src/contracts/discovery.ts";
import type { CallOutcome, ServerAnswer, ServerCall } from "../../src/contracts/server-protocol.ts";
import { type MemoryProtocolOptions, memoryProtocol } from "../../src/memory/protocol.ts";
import { ManualClock, settled } from "../discovery/manual-clock.ts";

const server: ModelServer = { id: "s", url: "memory:s", models: ["m"], protocol: "memory", state: "ready" };

function open(handle: MemoryProtocolOptions["handle"]) {
  const clock = new ManualClock();
  const operations = { process: { repeatable: true }, train: { background: true, timeoutMs: 9000 } };
  const protocol = memoryProtocol({ handle, operations, clock, instance: "boot-1" });
  let sent = 0;
  const call = (parts: Partial<ServerCall> = {}, signal?: AbortSignal): Promise<CallOutcome> => {
    const onSend = (): void => {
      sent += 1;
    };
    const bytes = new TextEncoder().encode("the payload");
    return protocol.call(
      {
        ...{
          server,
          model: "m",
          operation: "process",
          taskId: "t",
          query: "",
          sizeBytes: 11,
          payload: bytes,
        },
        ...{ onSend, timeoutMs: 1000 },
        ...parts,
      },
      { signal },
    );
  };
  return { clock, protocol, call, sent: () => sent };
}

async function read(answer: ServerAnswer | undefined): Promise<string | undefined> {
  if (answer === undefined) return undefined;
  let text = "";
  for await (const piece of answer.body) text += new TextDecoder().decode(piece);
  return `${answer.contentType} ${answer.sizeBytes}: ${text}`;
}

async function answered(outcome: CallOutcome): Promise<string> {
  return "answer" in outcome ? `${outcome.kind} ${await read(outcome.answer)}` : outcome.kind;
}

describe("a function as a server", () => {
  it("answers text, bytes, JSON or an outcome", async () => {
    expect(await answered(await open(async (call) => (await call.text()).toUpperCase()).call())).toBe(
      "done text/plain; charset=utf-8 11: THE PAYLOAD",
    );
    expect(await answered(await open(() => new Uint8Array([65])).call())).toBe(
      "done application/octet-stream 1: A",
    );
    expect(await answered(await open(() => ({ json: { kind: "done" } })).call())).toBe(
      'done application/json 15: {"kind":"done"}',
    );
    expect(await open(() => ({ kind: "refused", reason: "busy" })).call()).toEqual({
      kind: "refused",
      reason: "busy",
    });
  });

  it("is called after the send was told, and a throw is its final answer", async () => {
    const parts = open(() => {
      expect(parts.sent()).toBe(1);
      throw new Error("no such thing");
    });
    expect(await answered(await parts.call())).toBe("rejected text/plain; charset=utf-8 13: no such thing");
    expect(await answered(await parts.call({ operation: "other" }))).toMatch(/^rejected/);
  });

  it("is stopped at the time limit, and by an abort", async () => {
    const signals: AbortSignal[] = [];
    const parts = open((_, { signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    });
    const slow = parts.call();
    await parts.clock.advance(1000);
    expect(await slow).toEqual({ kind: "broken", reason: "timeout" });
    const controller = new AbortController();
    const reason = new Error("enough");
    const aborted = parts.call({}, controller.signal);
    const rejected = expect(aborted).rejects.toBe(reason);
    await settled();
    controller.abort(reason);
    await rejected;
    const closed = expect(parts.call()).rejects.toMatchObject({ code: "CLOSED" });
    await settled();
    await parts.protocol.close();
    await closed;
    expect([signals.map(({ aborted: isAborted }) => isAborted), parts.clock.pending]).toEqual([
      [true, true, true],
      0,
    ]);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  it("does not answer for a payload that cannot be read", async () => {
    const parts = open(async (call) => await call.text());
    const lost = new Error("the payload is lost");
    const payload = (async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array([1]);
      throw lost;
    })();
    await expect(parts.call({ payload })).rejects.toBe(lost);
  });
});

describe("a background run", () => {
  function training() {
    let end = (_: CallOutcome | string): void => {};
    const parts = open((call, { signal }) => {
      return new Promise((resolve, reject) => {
        end = resolve;
        signal.addEventListener("abort", () => reject(new Error(`stopped ${call.taskId}`)));
      });
    });
    const find = (name: { taskId?: string; runId?: string }) => parts.protocol.findRun({ server, ...name });
    return { ...parts, find, end: (answer: CallOutcome | string) => end(answer) };
  }

  it("is accepted at once, found while it runs and after, and its document can be read again", async () => {
    const { call, find, end } = training();
    expect(await call({ operation: "train" })).toEqual({
      kind: "accepted",
      runId: "run-1",
      instance: "boot-1",
    });
    expect(await find({ taskId: "t" })).toMatchObject({
      run: "active",
      runId: "run-1",
      idle: false,
      instance: "boot-1",
    });
    expect(await find({ taskId: "other" })).toMatchObject({ run: "none", idle: false });
    end("trained");
    await settled();
    for (let times = 0; times < 2; times += 1) {
      const report = await find({ runId: "run-1" });
      expect([report.run, report.idle]).toEqual(["succeeded", true]);
      expect(await read(report.document)).toBe("text/plain; charset=utf-8 7: trained");
    }
  });

  it("keeps its server busy for others", async () => {
    const { call, end } = training();
    await call({ operation: "train" });
    expect(await call({ operation: "train", taskId: "u" })).toEqual({
      ...{ kind: "refused", reason: "busy", blockingRunId: "run-1" },
    });
    const elsewhere = { ...server, id: "t" };
    expect((await call({ operation: "train", taskId: "u", server: elsewhere })).kind).toBe("accepted");
    end("done");
  });

  it("can be cancelled, and a failure is told as one", async () => {
    const { call, find, end, protocol } = training();
    await call({ operation: "train" });
    expect(await protocol.cancelRun({ server, taskId: "other" })).toBe(false);
    expect(await protocol.cancelRun({ server, taskId: "t" })).toBe(true);
    await settled();
    expect(await find({ taskId: "t" })).toMatchObject({ run: "failed", idle: true });
    expect(await protocol.cancelRun({ server, taskId: "t" })).toBe(false);
    await call({ operation: "train", taskId: "u" });
    end({ kind: "broken", reason: "reset" });
    await settled();
    expect(await find({ taskId: "u" })).toMatchObject({ run: "failed", runId: "run-2" });
  });
});
