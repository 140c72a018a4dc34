import { onTestFinished } from "vitest";
import type { Checkpoint } from "../../../src/checkpoint.ts";
import type { ModelServer } from "../../../src/contracts/discovery.ts";
import type { Ledger } from "../../../src/contracts/ledger.ts";
import type { ObjectStore } from "../../../src/contracts/object-store.ts";
import type {
  CallOutcome,
  OperationSpec,
  RunQuery,
  RunReport,
  ServerAnswer,
  ServerCall,
  ServerProtocol,
} from "../../../src/contracts/server-protocol.ts";
import type { TaskRecord } from "../../../src/contracts/task.ts";
import { createGateway } from "../../../src/gateway.ts";
import type { Gateway, GatewayOptions } from "../../../src/gateway-api.ts";
import {
  type MemoryDiscovery,
  memoryDiscovery,
  memoryLedger,
  memoryObjectStore,
} from "../../../src/memory/index.ts";
import { ManualClock } from "../../discovery/manual-clock.ts";

export const SECOND = 1000;
export const MINUTE: number = 60 * SECOND;

/** What a scripted server tells of a run: the same each time, or by who asks and when. */
export type Telling = RunReport | ((query: RunQuery, nowMs: number) => RunReport | Promise<RunReport>);

/** A document that can be read once, as from a wire. */
export function documentOf(text: string): ServerAnswer {
  const bytes = new TextEncoder().encode(text);
  return {
    ...{ status: 200, contentType: "application/json", sizeBytes: bytes.byteLength },
    body: (async function* () {
      yield bytes;
    })(),
  };
}

/** Gateways, one after another or together, over one ledger and one scripted server, in virtual time. */
export class TrainingWorld {
  readonly clock: ManualClock = new ManualClock();
  readonly discovery: MemoryDiscovery = memoryDiscovery();
  readonly ledger: Ledger = memoryLedger({ clock: this.clock, random: () => 0.5 });
  readonly objects: ObjectStore = memoryObjectStore({ clock: this.clock });
  /** What the server does with a call. */
  answer: (call: ServerCall) => CallOutcome | Promise<CallOutcome> = () => ({
    kind: "accepted",
    runId: "run-1",
  });
  telling: Telling = { run: "active" };
  /** Whether it takes a wish to cancel. */
  takesCancel: (query: RunQuery) => boolean = () => true;
  readonly calls: ServerCall[] = [];
  readonly looks: (RunQuery & { readonly atMs: number })[] = [];
  readonly cancels: number[] = [];
  readonly #operations: ReadonlyMap<string, OperationSpec>;
  readonly #dead = new Set<Gateway>();
  looking = 0;
  mostLooking = 0;

  constructor(timeoutMs: number = 60 * MINUTE) {
    this.#operations = new Map([
      ["train", { repeatable: false, background: true, timeoutMs, callTimeoutMs: 10 * SECOND }],
      ["process", { repeatable: true, background: false, timeoutMs: MINUTE }],
    ]);
    this.tell({});
  }

  /** What discovery says of the server. */
  tell(more: Partial<ModelServer>, id = "s"): void {
    const server = {
      id,
      url: "script:",
      models: ["m"],
      protocol: "script",
      state: "ready",
      limit: 1,
    } as const;
    this.discovery.set({ ...server, ...more });
  }

  async start(options: Partial<GatewayOptions> = {}): Promise<Gateway> {
    const checkpoint: Checkpoint = (_name, promise) =>
      this.#dead.has(gateway) ? new Promise(() => {}) : promise;
    const gateway: Gateway = createGateway({
      ...{ discovery: this.discovery, ledger: this.ledger, objects: this.objects, clock: this.clock },
      ...{ protocols: [this.#protocol()], random: () => 0.5, checkpoint, objectSweepMs: false },
      ...{ leaseMs: 20 * SECOND, pollMs: 5 * SECOND, name: `gateway-${this.#dead.size}` },
      ...options,
    });
    onTestFinished(async () => {
      const stopping = gateway.stop({ drainMs: 0 });
      await this.clock.advance(MINUTE);
      if (!this.#dead.has(gateway)) await stopping;
    });
    const starting = gateway.start();
    await this.clock.advance(1);
    await starting;
    return gateway;
  }

  /** The process does nothing any more, and nobody is told. */
  kill(gateway: Gateway): void {
    this.#dead.add(gateway);
  }

  async train(gateway: Gateway): Promise<string> {
    const { id } = await gateway.submit({ model: "m", operation: "train", payload: "notes" });
    await this.clock.advance(1);
    return id;
  }

  /** The task, after a while. */
  async after(byMs: number, gateway: Gateway, id: string): Promise<TaskRecord> {
    await this.clock.advance(byMs);
    return await gateway.get(id);
  }

  #protocol(): ServerProtocol {
    return {
      name: "script",
      operations: this.#operations,
      capabilities: { findsRuns: true, cancelsRuns: true, passes: false, upgrades: false },
      probe: async () => ({ ready: true }),
      call: async (call) => {
        call.onSend();
        this.calls.push(call);
        return await this.answer(call);
      },
      findRun: async (query) => {
        this.looks.push({ ...query, atMs: this.clock.now() });
        this.looking += 1;
        this.mostLooking = Math.max(this.mostLooking, this.looking);
        try {
          const { telling } = this;
          return typeof telling === "function" ? await telling(query, this.clock.now()) : { ...telling };
        } finally {
          this.looking -= 1;
        }
      },
      cancelRun: async (query) => {
        this.cancels.push(this.clock.now());
        return this.takesCancel(query);
      },
      info: async () => undefined,
      close: async () => {},
    };
  }
}
