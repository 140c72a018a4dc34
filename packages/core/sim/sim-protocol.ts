import type {
  CallOutcome,
  OperationSpec,
  ProbeReport,
  RunReport,
  ServerCall,
  ServerProtocol,
} from "../src/contracts/server-protocol.ts";
import { readAll } from "./digest.ts";
import type { Weather } from "./network.ts";
import type { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";
import type { SimProcess } from "./sim-process.ts";
import type { SimServer } from "./sim-server.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What the simulated servers can do: every combination of repeatable and background. */
const OPERATIONS: ReadonlyMap<string, OperationSpec> = new Map([
  ["process", { repeatable: true, background: false, timeoutMs: 6_000, contentType: "text/plain" }],
  ["append", { repeatable: false, background: false, timeoutMs: 6_000, contentType: "text/plain" }],
  [
    "train",
    {
      repeatable: false,
      background: true,
      timeoutMs: 15_000,
      callTimeoutMs: 3_000,
      contentType: "text/plain",
    },
  ],
  [
    "score",
    {
      repeatable: true,
      background: true,
      timeoutMs: 15_000,
      callTimeoutMs: 3_000,
      contentType: "text/plain",
    },
  ],
]);

export interface ProtocolContext {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly recorder: Recorder;
  readonly weather: Weather;
  readonly servers: ReadonlyMap<string, SimServer>;
  /** Numbers the calls of one world. */
  readonly nextCall: () => number;
}

/** Marks an answer whose body breaks off, for the history. */
const BREAKS = "breaks-off";
const UNREACHABLE: CallOutcome = { kind: "refused", reason: "unreachable" };

function nameOf(outcome: CallOutcome): string {
  if (outcome.kind === "done" && outcome.answer.disposition === BREAKS) return "done, then broken off";
  return "reason" in outcome ? `${outcome.kind}:${outcome.reason}` : outcome.kind;
}

/** How one process speaks to the simulated servers. */
export function simProtocol(
  name: "sim" | "blind",
  context: ProtocolContext,
  process: SimProcess,
): ServerProtocol {
  const { time, random, recorder, weather, servers } = context;
  const findsRuns = name === "sim";

  const send = (
    call: ServerCall,
    payload: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<CallOutcome> => {
    const { taskId: id, timeoutMs } = call;
    const background = OPERATIONS.get(call.operation)?.background === true;
    const number = context.nextCall();
    return new Promise((resolve, reject) => {
      let isOver = false;
      let isSent = false;
      const server = servers.get(call.server.id);
      const close = (outcome: string): boolean => {
        if (isOver) return false;
        isOver = true;
        cancelTimeout();
        forgetDeath();
        signal?.removeEventListener("abort", onAbort);
        if (isSent) recorder.add({ kind: "answered", call: number, id, by: process.name, outcome });
        return true;
      };
      const hangUp = (): void => {
        if (isSent) time.after(random.delay(2), () => server?.hangUp(id));
      };
      const conclude = (outcome: CallOutcome): void => {
        if (close(nameOf(outcome))) resolve(outcome);
      };
      const onAbort = (): void => {
        if (!close("aborted")) return;
        hangUp();
        reject(signal?.reason);
      };
      const cancelTimeout = process.clock.after(timeoutMs, () => {
        if (!isOver) hangUp();
        // Whoever has sent nothing within the time limit has not reached the server.
        conclude(isSent ? { kind: "broken", reason: "timeout" } : UNREACHABLE);
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      const forgetDeath = process.onDeath(() => {
        if (close("gone")) hangUp();
      });
      const onConnected = (): void => {
        if (isOver) return;
        if (server === undefined || !server.isUp) {
          conclude(UNREACHABLE);
          return;
        }
        call.onSend();
        isSent = true;
        recorder.add({
          kind: "sent",
          call: number,
          id,
          by: process.name,
          server: server.plan.id,
          instance: server.instance,
        });
        time.after(random.delay(2), () => {
          server.receive({
            ...{ id, payload, background },
            reply: (outcome) => time.after(random.delay(2), () => process.deliver(() => conclude(outcome))),
          });
        });
      };
      time.after(random.delay(1), () => process.deliver(onConnected));
    });
  };

  /** A question to a server; `otherwise` when it does not answer. */
  const ask = <T>(id: string, otherwise: NoInfer<T>, question: (server: SimServer) => T): Promise<T> => {
    if (!process.isAlive) return new Promise(() => {});
    return new Promise((resolve) => {
      const answer = (value: T): void =>
        void time.after(random.delay(2), () => process.deliver(() => resolve(value)));
      time.after(random.delay(2), () => {
        const server = servers.get(id);
        const isLost = !weather.isCalm && random.chance(0.05);
        if (isLost) recorder.fault("server.silent", process.name);
        answer(server === undefined || !server.isUp || isLost ? otherwise : question(server));
      });
    });
  };

  return {
    name,
    operations: OPERATIONS,
    capabilities: { findsRuns, cancelsRuns: true, passes: false, upgrades: false },
    probe: (server) =>
      ask<ProbeReport>(server.id, { ready: false }, (one) => ({ ready: true, instance: one.instance })),
    async call(call, { signal } = {}) {
      signal?.throwIfAborted();
      const payload = call.payload instanceof Uint8Array ? call.payload : await readAll(call.payload);
      signal?.throwIfAborted();
      if (!process.isAlive) return await new Promise<never>(() => {});
      return await send(call, payload, signal);
    },
    findRun: ({ server, taskId }) => {
      const unclear: RunReport = { run: "unclear" };
      return ask(server.id, unclear, (one): RunReport => {
        const report = one.findRun(taskId);
        return findsRuns ? report : { run: "unclear", idle: report.idle, instance: report.instance };
      });
    },
    cancelRun: ({ server, taskId }) =>
      ask(server.id, false, (one) => (taskId === undefined ? false : one.cancelRun(taskId))),
    info: async () => undefined,
    close: async () => {},
  };
}
