import { Random } from "../../../sim/random.ts";
import { SimProcess } from "../../../sim/sim-process.ts";
import { VirtualTime } from "../../../sim/virtual-time.ts";
import type { ServerSpec } from "../../../src/contracts/deployer.ts";
import type { RecordStore } from "../../../src/contracts/record-store.ts";
import type { Deployments, DeploymentsOptions } from "../../../src/deployments/api.ts";
import type { Entry } from "../../../src/deployments/entry.ts";
import { createGateway } from "../../../src/gateway.ts";
import type { Gateway, GatewayOptions } from "../../../src/gateway-api.ts";
import {
  type MemoryBehaviour,
  type MemoryCall,
  type MemoryDiscovery,
  type MemoryEngine,
  memoryDeployer,
  memoryDiscovery,
  memoryEngine,
  memoryLedger,
  memoryObjectStore,
  memoryProtocol,
  memoryRecordStore,
} from "../../../src/memory/index.ts";
import { type LinkContext, type LinkedCall, link } from "./link.ts";

export interface WorldOptions {
  readonly seed?: number;
  readonly leaseMs?: number;
  readonly behaviour?: MemoryBehaviour;
  readonly engine?: Parameters<typeof memoryEngine>[0];
  readonly deployments?: Partial<DeploymentsOptions>;
  /** How long a call to a server takes. */
  readonly workMs?: number;
  /** How long a training takes. */
  readonly trainMs?: number;
  /** Told of every call that leaves a process and of every one that was carried out. */
  readonly on?: (at: "before" | "after", call: LinkedCall) => void;
}

interface UnderWay {
  readonly process: SimProcess;
  readonly server: string;
  readonly model: string;
}

export interface Node {
  readonly process: SimProcess;
  readonly gateway: Gateway;
  readonly errors: string[];
}

/** One engine, one store and any number of gateways, each in a process that may die, under a clock of its own. */
export class World {
  readonly time: VirtualTime = new VirtualTime();
  readonly clock: SimProcess["clock"];
  readonly records: RecordStore = memoryRecordStore();
  readonly ledger: ReturnType<typeof memoryLedger>;
  readonly objects: ReturnType<typeof memoryObjectStore>;
  readonly discovery: MemoryDiscovery = memoryDiscovery();
  readonly engine: MemoryEngine;
  readonly nodes: Node[] = [];
  /** Calls under way: which process made them, and on which server. */
  readonly calls: Set<UnderWay> = new Set();
  /** What happened that must never happen. */
  readonly violations: string[] = [];
  readonly #options: WorldOptions;
  readonly #random: Random;
  readonly #states = new Map<string, string>();
  #isForced = false;

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.#random = new Random(options.seed ?? 1, "world");
    const shared = new SimProcess("shared", this.time, { wallOffsetMs: 0, lingersMs: 0 });
    this.clock = shared.clock;
    this.ledger = memoryLedger({ clock: this.clock, random: () => this.#random.next() });
    this.objects = memoryObjectStore({ clock: this.clock });
    this.engine = memoryEngine({
      clock: this.clock,
      discovery: this.discovery,
      delays: { createMs: 50, startMs: 100, removeMs: 50, listMs: 2 },
      images: { server: { isHere: false, pullMs: 500 } },
      behaviour: options.behaviour ?? (() => ({ readyAfterMs: 1_000 })),
      ...options.engine,
    });
    void this.discovery.watch((change) => {
      if (change.kind === "upsert") this.#states.set(change.server.id, change.server.state);
      else if (change.kind === "removed") this.#states.delete(change.id);
      const isStop = change.kind === "upsert" && change.server.state === "draining";
      if (isStop) this.#stopped(change.server.id);
    });
  }

  discoveryOf(serverId: string): string | undefined {
    return this.#states.get(serverId);
  }

  /** What a server's stop meets: a call that somebody who is counted on still waits for. */
  #stopped(serverId: string): void {
    if (this.#isForced) return;
    for (const { process, server, model } of this.calls) {
      if (server !== serverId || !process.isAlive || process.isPaused) continue;
      const atMs = Math.round(this.time.nowMs);
      void this.entries().then((entries) => {
        const drain = entries.find((entry) => entry.model === model)?.drain;
        const drainedMs = drain === undefined ? 0 : Math.floor(this.clock.now() - drain.atMs);
        const { drainMs = 30_000 } = this.#options.deployments ?? {};
        // Who asks for a removal, or for a time to live, gets it once the time to drain is over.
        if ((drain?.why === "removed" || drain?.why === "expired") && drainedMs >= drainMs) return;
        const why = `${drain?.why}, drained for ${drainedMs} ms`;
        this.violations.push(`${atMs}: ${process.name} was at work on ${model} (${server}); ${why}`);
      });
    }
  }

  /** Nobody counts on what this process was doing. */
  forgetCalls(process: SimProcess): void {
    for (const call of this.calls) if (call.process === process) this.calls.delete(call);
  }

  /** Does to the engine what somebody does by hand, whatever is at work. */
  async byHand(deed: () => unknown): Promise<void> {
    this.#isForced = true;
    await deed();
    this.#isForced = false;
  }

  /** Runs until `isSo`, at most so long; rejects when it did not become so. */
  async until(what: string, isSo: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<number> {
    const fromMs = this.time.nowMs;
    const endMs = fromMs + withinMs;
    for (;;) {
      let is: boolean | undefined;
      void Promise.resolve(isSo()).then((value) => {
        is = value;
      });
      await this.time.run(this.time.nowMs + 10);
      if (is === true) return this.time.nowMs - fromMs;
      if (this.time.nowMs >= endMs) throw new Error(`${what}: not within ${withinMs} ms`);
    }
  }

  /** Lets time go on while `work` is awaited. */
  async settle<T>(work: Promise<T>, withinMs = 600_000): Promise<T> {
    let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
    work.then(
      (value) => {
        outcome = { value };
      },
      (error: unknown) => {
        outcome = { error };
      },
    );
    await this.time.run(this.time.nowMs + withinMs, () => outcome !== undefined);
    if (outcome === undefined) throw new Error(`not settled within ${withinMs} ms`);
    if ("error" in outcome) throw outcome.error;
    return outcome.value;
  }

  async start(name: string, options: Partial<GatewayOptions> = {}): Promise<Node> {
    const node = this.make(name, options);
    await this.settle(node.gateway.start());
    return node;
  }

  make(name: string, options: Partial<GatewayOptions> = {}): Node {
    const process = new SimProcess(`${name}-${this.nodes.length}`, this.time, {
      wallOffsetMs: 0,
      lingersMs: 20,
    });
    const random = new Random(this.#options.seed ?? 1, process.name);
    const context: LinkContext = {
      ...{ process, time: this.time, random, delayMs: 1 },
      on: (at, call) => this.#options.on?.(at, call),
    };
    let ids = 0;
    const gateway = createGateway({
      ledger: link("ledger", this.ledger, context),
      objects: link("objects", this.objects, context),
      discovery: link("discovery", this.discovery, context),
      protocols: [this.#protocol(process)],
      deployments: {
        records: link("records", this.records, context),
        deployer: link("deployer", memoryDeployer({ engine: this.engine }), context),
        template: serverSpec,
        ...this.#options.deployments,
      },
      ...{ name, leaseMs: this.#options.leaseMs ?? 3_000, pollMs: 200, clock: process.clock },
      random: () => random.next(),
      newId: () => {
        ids += 1;
        return `${process.name}-${ids}`;
      },
      ...options,
    });
    const errors: string[] = [];
    gateway.events.on("adapter:failed", ({ adapter, operation, code }) => {
      errors.push(`${adapter}.${operation}: ${code}`);
    });
    const node = { process, gateway, errors };
    this.nodes.push(node);
    return node;
  }

  /** The deployments as they are written down. */
  async entries(): Promise<readonly Entry[]> {
    const book = await this.records.get("deployments/book");
    return (book?.value as unknown as { readonly entries: readonly Entry[] } | undefined)?.entries ?? [];
  }

  /** Events of the engine by kind, for a model. */
  events(kind: string, model?: string): number {
    return this.engine.events.filter(
      (each) => each.kind === kind && (model === undefined || each.model === model),
    ).length;
  }

  #protocol(process: SimProcess): ReturnType<typeof memoryProtocol> {
    const { workMs = 20, trainMs = 30_000 } = this.#options;
    return memoryProtocol({
      clock: process.clock,
      instance: "engine",
      operations: { work: { repeatable: true }, train: { background: true, timeoutMs: 86_400_000 } },
      handle: async (call: MemoryCall) => {
        const made = { process, server: call.server.id, model: call.model };
        if (this.discoveryOf(made.server) !== "ready") return { kind: "refused", reason: "unreachable" };
        this.calls.add(made);
        await new Promise<void>((resolve) => {
          process.clock.after(call.operation === "train" ? trainMs : workMs, resolve);
        });
        this.calls.delete(made);
        return "done";
      },
    });
  }
}

function serverSpec({ model, demands }: { model: string; demands?: DeploymentDemands }): ServerSpec {
  return { image: model.startsWith("missing") ? "missing" : "server", port: 8000, ...demands };
}

type DeploymentDemands = Parameters<DeploymentsOptions["template"]>[0]["demands"];

export function deploymentsOf({ deployments }: Gateway): Deployments {
  if (deployments === undefined) throw new Error("the gateway has no deployments");
  return deployments;
}
