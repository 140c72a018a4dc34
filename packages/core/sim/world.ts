import { CHECKPOINTS } from "../src/checkpoint.ts";
import type { Clock } from "../src/contracts/clock.ts";
import type { TaskRecord } from "../src/contracts/task.ts";
import { memoryLedger } from "../src/memory/ledger.ts";
import { memoryTaskStore } from "../src/memory/task-store.ts";
import {
  checkHistory,
  type History,
  type HistoryFacts,
  type Violation,
} from "../src/testing/checker/index.ts";
import { isEnded } from "../src/testing/checker/replay.ts";
import { SharedWakeups } from "./linked-stores.ts";
import { Network, type Weather } from "./network.ts";
import { observeLedger, observeTaskStore, type StoreWatch } from "./observed-store.ts";
import { Random } from "./random.ts";
import { Recorder, type RunCounts } from "./recorder.ts";
import { type LedgerKind, type ProcessPlan, planScenario, type Scenario } from "./scenario.ts";
import { SimClients } from "./sim-client.ts";
import { SharedDiscovery } from "./sim-discovery.ts";
import { type GatewayContext, type SharedStores, SimGateway } from "./sim-gateway.ts";
import { SharedObjects } from "./sim-object-store.ts";
import { EPOCH_MS } from "./sim-process.ts";
import { type SharedQueue, sharedQueue } from "./sim-queue.ts";
import { SimServer } from "./sim-server.ts";
import { VirtualTime } from "./virtual-time.ts";
import { noWrap, type Wrap } from "./wrap.ts";

/** How long a healed world may take to come to rest, in virtual time, and in steps. */
const REST_MS = 1_500_000;
const REST_STEPS = 60_000;
const PROGRESS_MS = 15_000;
const MAX_ATTEMPTS = 250;

export interface RunOutcome {
  readonly scenario: Scenario;
  readonly history: History;
  readonly violations: readonly Violation[];
  readonly counts: RunCounts;
  readonly virtualMs: number;
  readonly steps: number;
}

/** Every task whose id ends so has a result that no store can write. */
const UNWRITABLE = /-x$/;

/** One world: its stores, servers, processes and clients, and all that befalls them. */
class World {
  readonly #scenario: Scenario;
  readonly #time = new VirtualTime();
  readonly #recorder = new Recorder(this.#time);
  readonly #weather: Weather = { isCalm: false, isStoreAway: false, isQueueAway: false };
  readonly #servers = new Map<string, SimServer>();
  readonly #gateways = new Map<string, SimGateway>();
  readonly #incarnations = new Map<string, number>();
  readonly #clients: SimClients;
  readonly #context: GatewayContext;
  readonly #unwritable = new Set<string>();
  readonly #readRows: () => Promise<readonly TaskRecord[]>;
  readonly #readHolds: () => Promise<readonly { readonly server: string; readonly id: string }[]>;
  readonly #queue: SharedQueue | undefined;
  #storeOffsetMs = 0;
  #calls = 0;
  #executions = 0;

  constructor(scenario: Scenario, wrap: Wrap) {
    this.#scenario = scenario;
    const { seed, link } = scenario;
    const time = this.#time;
    const recorder = this.#recorder;
    const weather = this.#weather;
    const discovery = new SharedDiscovery(time);
    const network = new Network({ time, recorder, weather, plan: link, random: new Random(seed, "network") });
    for (const plan of scenario.servers) {
      const server = new SimServer(plan, {
        ...{ time, recorder, weather, random: new Random(seed, `server.${plan.id}`) },
        nextExecution: () => ++this.#executions,
        onChange: (described, id, lagMs) => discovery.change(described, id, weather.isCalm ? 10 : lagMs),
      });
      this.#servers.set(plan.id, server);
    }
    const { stores, readRows, readHolds, queue } = this.#makeStores(wrap);
    this.#readRows = readRows;
    this.#readHolds = readHolds;
    this.#queue = queue;
    const protocol = {
      ...{ time, recorder, weather, servers: this.#servers, random: new Random(seed, "protocol") },
      nextCall: () => ++this.#calls,
    };
    const wakeups = new SharedWakeups(time, new Random(seed, "wakeups"));
    const objects = new SharedObjects(recorder);
    this.#context = {
      scenario,
      time,
      recorder,
      network,
      weather,
      stores,
      objects,
      wakeups,
      discovery,
      protocol,
      wrap,
    };
    const usable = (): SimGateway[] => [...this.#gateways.values()].filter((gateway) => gateway.isUsable);
    this.#clients = new SimClients({ scenario, time, recorder, usable, random: new Random(seed, "clients") });
  }

  async run(): Promise<RunOutcome> {
    const { chaosMs, calmMs, servers, processes } = this.#scenario;
    const time = this.#time;
    this.#phase("chaos");
    for (const server of this.#servers.values()) server.boot();
    for (const plan of processes) this.#launch(plan);
    this.#planTrouble();
    this.#planClients();
    await time.run(chaosMs);
    this.#calmDown();
    await time.run(chaosMs + calmMs);
    for (const server of this.#servers.values()) server.boot();
    this.#phase("healed");
    await this.#untilRest(time.nowMs + REST_MS);
    this.#clients.run(() => this.#clients.readAll());
    await time.run(time.nowMs + 60_000, () => this.#clients.busy === 0);
    this.#phase("quiet");
    this.#clients.reportHung();
    const end = { rows: await this.#readRows(), orphanHolds: await this.#readHolds() };
    await this.#stopAll();
    const facts: HistoryFacts = {
      leaseMs: this.#scenario.leaseMs,
      boostMs: this.#scenario.boostMs,
      limits: Object.fromEntries(servers.map(({ id, limit }) => [id, limit])),
      models: Object.fromEntries(servers.map(({ id, models }) => [id, models])),
      order: this.#scenario.ledger === "native" ? "exact" : "queue",
      progressMs: PROGRESS_MS,
      unwritable: [...this.#unwritable],
      maxFailures: 5,
      maxAttempts: MAX_ATTEMPTS,
      retainsResultsMs: this.#scenario.retention?.resultMs,
      end,
    };
    const { history, counts } = this.#recorder;
    const violations = checkHistory(history, facts);
    return {
      scenario: this.#scenario,
      history,
      violations,
      counts,
      virtualMs: time.nowMs,
      steps: time.steps,
    };
  }

  #makeStores(wrap: Wrap): {
    readonly stores: SharedStores;
    readonly readRows: () => Promise<readonly TaskRecord[]>;
    readonly readHolds: () => Promise<readonly { readonly server: string; readonly id: string }[]>;
    readonly queue?: SharedQueue | undefined;
  } {
    const { seed, ledger: kind, servers } = this.#scenario;
    const time = this.#time;
    const random = new Random(seed, "store");
    const clock: Clock = {
      now: () => Math.floor(EPOCH_MS + time.nowMs + this.#storeOffsetMs),
      monotonic: () => time.nowMs,
      after: (delayMs, callback) => time.after(delayMs, callback),
    };
    const watch: StoreWatch = {
      recorder: this.#recorder,
      storeNow: () => clock.now(),
      unwritable: { has: (id: string) => UNWRITABLE.test(id) } as ReadonlySet<string>,
    };
    const auditor = { runner: "auditor", incarnation: "1", sequence: 1, acknowledged: 0, leaseMs: 1_000 };
    const nothing = { settle: [], renew: [], recover: 0, release: [] };
    const ids = (): string[] => [...this.#taskIds()];
    const present = (rows: readonly (TaskRecord | undefined)[]): TaskRecord[] =>
      rows.filter((row) => row !== undefined);
    if (kind === "native") {
      const ledger = wrap.sharedLedger(memoryLedger({ clock, random: () => random.next() }));
      const want = servers.map(({ id }) => {
        return { server: id, limit: 1, max: 0, models: [], background: false, cost: 0 };
      });
      return {
        stores: { kind, ledger: observeLedger(ledger, watch) },
        readRows: async () => present(await ledger.get(ids())),
        readHolds: async () => (await ledger.exchange({ ...auditor, ...nothing, want })).orphanHolds,
      };
    }
    const store = wrap.sharedStore(memoryTaskStore({ clock, random: () => random.next() }));
    const queue = sharedQueue(this.#scenario.queue, clock, wrap);
    return {
      stores: { kind, store: observeTaskStore(store, watch), queue: (process) => queue.for(process) },
      readRows: async () => present(await store.get(ids())),
      readHolds: async () =>
        (await store.apply({ ...auditor, ...nothing, servers: servers.map(({ id }) => id) })).orphanHolds,
      queue,
    };
  }

  *#taskIds(): Iterable<string> {
    const seen = new Set<string>();
    for (const event of this.#recorder.history) {
      if (event.kind !== "row" || seen.has(event.task.id)) continue;
      seen.add(event.task.id);
      if (UNWRITABLE.test(event.task.id)) this.#unwritable.add(event.task.id);
      yield event.task.id;
    }
  }

  #phase(phase: "chaos" | "calm" | "healed" | "quiet"): void {
    const dead =
      phase === "calm"
        ? this.#scenario.servers.filter((server) => server.isDeadInCalm).map(({ id }) => id)
        : [];
    this.#recorder.add({ kind: "phase", phase, dead });
  }

  /** Starts the next incarnation of a process, with what its plan has in store for it. */
  #launch(plan: ProcessPlan): void {
    const incarnation = this.#incarnations.get(plan.name) ?? 0;
    this.#incarnations.set(plan.name, incarnation + 1);
    const gateway = new SimGateway(this.#context, plan, incarnation);
    this.#gateways.set(plan.name, gateway);
    const time = this.#time;
    const life = plan.lives[incarnation];
    gateway.process.onDeath(() => {
      const waitMs = this.#weather.isCalm ? 10 : (life?.restartAfterMs ?? 100);
      time.after(waitMs, () => {
        if (this.#gateways.get(plan.name) === gateway && !this.#isOver) this.#launch(plan);
      });
    });
    if (life !== undefined && !this.#weather.isCalm) {
      const bornAtMs = time.nowMs;
      const at = (atMs: number, act: () => void): void => {
        if (atMs > bornAtMs) time.after(atMs - bornAtMs, () => !this.#weather.isCalm && act());
      };
      if (life.crashAtMs !== undefined) at(life.crashAtMs, () => gateway.crash("anywhere"));
      if (life.stopAtMs !== undefined)
        at(life.stopAtMs, () => gateway.process.deliver(() => void gateway.stop(1_500)));
      for (const { atMs, forMs } of life.pauses) at(atMs, () => gateway.pause(forMs));
      for (const { atMs, byMs } of life.wallSteps) {
        at(atMs, () => {
          if (!gateway.process.isAlive) return;
          this.#recorder.fault("clock.process", gateway.process.name);
          gateway.process.stepWallClock(byMs);
        });
      }
    }
    gateway.start();
  }

  #isOver = false;

  #planTrouble(): void {
    const { outages, storeSteps } = this.#scenario;
    const time = this.#time;
    this.#planQueueTrouble();
    for (const { atMs, forMs } of outages) {
      time.after(atMs, () => {
        if (this.#weather.isCalm) return;
        this.#recorder.fault("store.outage");
        this.#weather.isStoreAway = true;
        time.after(forMs, () => {
          this.#weather.isStoreAway = false;
        });
      });
    }
    for (const { atMs, byMs } of storeSteps) {
      time.after(atMs, () => {
        this.#recorder.fault("clock.store");
        this.#recorder.add({ kind: "clock", by: "store", stepMs: byMs });
        this.#storeOffsetMs += byMs;
      });
    }
    for (const server of this.#servers.values()) {
      for (const { atMs, forMs } of server.plan.deaths) {
        time.after(atMs, () => {
          if (this.#weather.isCalm || !server.isUp) return;
          this.#recorder.fault("server.death");
          server.die(true);
          time.after(forMs, () => server.boot());
        });
      }
    }
  }

  #planQueueTrouble(): void {
    const { queueLosses, queueOutages, queueReconnects } = this.#scenario;
    const time = this.#time;
    const queue = this.#queue;
    if (queue === undefined) return;
    for (const { atMs, isSeen } of queueLosses) {
      time.after(atMs, () => this.#recorder.fault(queue.lose(isSeen)));
    }
    for (const { atMs, forMs } of queueOutages) {
      time.after(atMs, () => {
        if (this.#weather.isCalm) return;
        this.#recorder.fault("queue.outage");
        this.#weather.isQueueAway = true;
        time.after(forMs, () => {
          this.#weather.isQueueAway = false;
        });
      });
    }
    for (const atMs of queueReconnects) {
      time.after(atMs, () => {
        if (queue.reconnect()) this.#recorder.fault("queue.reconnect");
      });
    }
  }

  #planClients(): void {
    const { seed, tasks, calmTasks, chaosMs, calmMs, models } = this.#scenario;
    const random = new Random(seed, "arrivals");
    const submit = (atMs: number, count: number): void => {
      this.#time.after(atMs, () => this.#clients.run(() => this.#clients.submitSome(count, models)));
    };
    for (let left = tasks; left > 0; ) {
      const count = random.chance(0.3) ? Math.min(left, random.integer(2, 8)) : 1;
      submit(50 + random.next() ** 1.5 * chaosMs * 0.9, count);
      left -= count;
    }
    for (let at = 0; at < calmTasks; at++) submit(chaosMs + random.next() * calmMs * 0.3, 1);
  }

  /** From here on nothing fails any more, but servers that the plan leaves dead. */
  #calmDown(): void {
    this.#weather.isCalm = true;
    this.#weather.isStoreAway = false;
    this.#weather.isQueueAway = false;
    for (const server of this.#servers.values()) {
      if (server.plan.isDeadInCalm) {
        // Discovery goes on to believe in it; its lane is stuck, and must not hold up the others.
        server.boot();
        server.die(false);
      } else server.boot();
    }
    for (const gateway of this.#gateways.values()) gateway.resume();
    this.#phase("calm");
  }

  /** Until every task has ended and nothing is held, or the time is over. */
  async #untilRest(untilMs: number): Promise<void> {
    const isAtRest = async (): Promise<boolean> => {
      if (this.#clients.busy > 0 || this.#recorder.held.size > 0) return false;
      const rows = await this.#readRows();
      if (!rows.every(isEnded)) return false;
      return (await this.#readHolds()).length === 0;
    };
    const lastStep = this.#time.steps + REST_STEPS;
    while (this.#time.nowMs < untilMs && this.#time.steps < lastStep) {
      const lookAtMs = this.#time.nowMs + 1_000;
      await this.#time.run(lookAtMs);
      if (await isAtRest()) return;
    }
  }

  async #stopAll(): Promise<void> {
    this.#isOver = true;
    let left = 0;
    for (const gateway of this.#gateways.values()) {
      left += 1;
      void gateway.stop(1_000).then(() => {
        left -= 1;
      });
    }
    await this.#time.run(this.#time.nowMs + 60_000, () => left === 0);
    for (const gateway of this.#gateways.values()) {
      if (gateway.process.isAlive)
        this.#recorder.add({ kind: "hung", call: "stop", by: gateway.process.name });
      gateway.process.kill();
    }
  }
}

/** Runs the world of one seed from its beginning to its rest, and judges it. */
export async function runSeed(seed: number, ledger: LedgerKind, wrap: Wrap = noWrap): Promise<RunOutcome> {
  return await new World(planScenario(seed, ledger, CHECKPOINTS), wrap).run();
}
