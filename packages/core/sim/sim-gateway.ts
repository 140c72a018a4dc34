import type { Checkpoint } from "../src/checkpoint.ts";
import { composeLedger } from "../src/composed-ledger/compose-ledger.ts";
import type { Ledger } from "../src/contracts/ledger.ts";
import type { Queue } from "../src/contracts/queue.ts";
import type { TaskStore } from "../src/contracts/task-store.ts";
import { createGateway } from "../src/gateway.ts";
import type { Gateway } from "../src/gateway-api.ts";
import { linkLedger, linkQueue, linkTaskStore, type SharedWakeups } from "./linked-stores.ts";
import type { Network, Weather } from "./network.ts";
import { Random } from "./random.ts";
import type { Recorder } from "./recorder.ts";
import type { LifePlan, ProcessPlan, Scenario } from "./scenario.ts";
import type { SharedDiscovery } from "./sim-discovery.ts";
import { type SharedObjects, simObjectStore } from "./sim-object-store.ts";
import { SimProcess } from "./sim-process.ts";
import { type ProtocolContext, simProtocol } from "./sim-protocol.ts";
import type { VirtualTime } from "./virtual-time.ts";
import type { Wrap } from "./wrap.ts";

/** The stores that all processes of a world share, as the observed border shows them to a process. */
export type SharedStores =
  | { readonly kind: "native"; readonly ledger: (by: string) => Ledger }
  | {
      readonly kind: "composed";
      readonly store: (by: string) => TaskStore;
      readonly queue: (process: SimProcess) => Queue;
    };

export interface GatewayContext {
  readonly scenario: Scenario;
  readonly time: VirtualTime;
  readonly recorder: Recorder;
  readonly network: Network;
  readonly weather: Weather;
  readonly stores: SharedStores;
  readonly objects: SharedObjects;
  readonly wakeups: SharedWakeups;
  readonly discovery: SharedDiscovery;
  readonly protocol: ProtocolContext;
  /** A planted fault may stand between a process and what it was given. */
  readonly wrap: Wrap;
}

/**
 * How long after a process's death its requests may still arrive. Its sockets close with it, so that a process that
 * comes back under its old name does not meet its own past; one with a new name may.
 */
const SOCKET_MS = 15;
const FOR_EVER = Number.POSITIVE_INFINITY;

/** One gateway in one process, from its start to its crash or stop. */
export class SimGateway {
  readonly process: SimProcess;
  readonly gateway: Gateway;
  readonly #context: GatewayContext;
  readonly #life: LifePlan | undefined;
  #visits = 0;
  #stopping: Promise<void> | undefined;

  constructor(context: GatewayContext, plan: ProcessPlan, incarnation: number) {
    const { scenario, time, recorder, network, objects, wakeups, discovery, protocol, wrap } = context;
    this.#context = context;
    this.#life = plan.lives[incarnation];
    const name = `${plan.name}.${incarnation}`;
    const keepsName = this.#life?.keepsName !== false;
    const process = new SimProcess(name, time, {
      wallOffsetMs: plan.wallOffsetMs,
      lingersMs: keepsName ? SOCKET_MS : FOR_EVER,
    });
    this.process = process;
    const random = new Random(scenario.seed, `${name}.random`);
    let ids = 0;
    this.gateway = createGateway({
      discovery: discovery.for(process),
      ledger: wrap.ledger(this.#ledger(), { process, time }),
      objects: wrap.objects(simObjectStore(objects, network, process), { process, time }),
      protocols: [simProtocol("sim", protocol, process), simProtocol("blind", protocol, process)],
      wakeups: scenario.hasWakeups ? wakeups.for(process) : undefined,
      name: keepsName ? plan.name : name,
      runs: plan.runs,
      leaseMs: scenario.leaseMs,
      pollMs: scenario.pollMs,
      inlineBytes: scenario.inlineBytes,
      boostMs: scenario.boostMs,
      noServerMs: scenario.noServerMs,
      retention: scenario.retention ?? false,
      clock: process.clock,
      random: () => random.next(),
      newId: () => {
        ids += 1;
        return `${name.replace(".", "-")}-${ids}`;
      },
      checkpoint: this.#checkpoint,
    });
    recorder.add({ kind: "process", by: name, change: "started" });
  }

  get isUsable(): boolean {
    return this.process.isAlive && this.#stopping === undefined;
  }

  start(): void {
    void this.gateway.start();
  }

  crash(checkpoint: string): void {
    if (!this.process.isAlive) return;
    this.#context.recorder.crashed(this.process.name, checkpoint);
    this.process.kill();
  }

  pause(forMs: number): void {
    const { recorder, time } = this.#context;
    const { process } = this;
    if (!process.isAlive || process.isPaused) return;
    recorder.fault("pause", process.name);
    recorder.add({ kind: "process", by: process.name, change: "paused" });
    process.pause();
    time.after(forMs, () => this.resume());
  }

  resume(): void {
    const { process } = this;
    if (!process.isAlive || !process.isPaused) return;
    this.#context.recorder.add({ kind: "process", by: process.name, change: "resumed" });
    process.resume();
  }

  /** A clean stop; resolves when it is over or the process has died on the way. */
  stop(drainMs: number): Promise<void> {
    this.#stopping ??= this.#stop(drainMs);
    return this.#stopping;
  }

  async #stop(drainMs: number): Promise<void> {
    if (!this.process.isAlive) return;
    const { recorder } = this.#context;
    const { process } = this;
    recorder.add({ kind: "process", by: process.name, change: "stopping" });
    await Promise.race([
      this.gateway.stop({ drainMs }),
      new Promise<void>((resolve) => process.onDeath(resolve)),
    ]);
    if (!process.isAlive) return;
    recorder.add({ kind: "process", by: process.name, change: "stopped" });
    process.kill();
  }

  #ledger(): Ledger {
    const { stores, network, scenario } = this.#context;
    const { process } = this;
    if (stores.kind === "native") return linkLedger(stores.ledger(process.name), network, process);
    const random = new Random(scenario.seed, `${process.name}.queue`);
    return composeLedger(
      linkTaskStore(stores.store(process.name), network, process),
      linkQueue(stores.queue(process), network, process),
      {
        clock: process.clock,
        random: () => random.next(),
        checkpoint: this.#checkpoint,
        visibilityMs: scenario.leaseMs,
        auditPauseMs: 5_000,
      },
    );
  }

  /** Dies at the await that its plan names: as it begins, with its request under way, or as it ends. */
  readonly #checkpoint: Checkpoint = (name, promise) => {
    if (!this.process.isAlive) return new Promise(() => {});
    const plan = this.#context.weather.isCalm ? undefined : this.#life?.crashAt;
    if (plan?.checkpoint !== name) return promise;
    this.#visits += 1;
    if (this.#visits !== plan.nth) return promise;
    if (!plan.isAfter) {
      this.crash(name);
      promise.catch(() => {});
      return new Promise(() => {});
    }
    return promise.finally(() => {
      if (!this.#context.weather.isCalm) this.crash(name);
      return this.process.isAlive ? undefined : new Promise<never>(() => {});
    });
  };
}
