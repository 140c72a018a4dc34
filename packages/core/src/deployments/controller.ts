import { sleep } from "../clock.ts";
import type { PrepareProgress } from "../contracts/deployer.ts";
import type { LaneStats } from "../contracts/ledger.ts";
import { GatewayError } from "../errors.ts";
import { withinTime } from "../tasks/time-limit.ts";
import { DeploymentActions } from "./actions.ts";
import { DeploymentActivity } from "./activity.ts";
import { withAdopted } from "./adopted-deployer.ts";
import type { Configuration } from "./api.ts";
import { DeploymentBook, type Entries } from "./book.ts";
import type { ConfigurationFollower } from "./configurations.ts";
import type { ControllerHost } from "./controller-host.ts";
import { decide, isReplaced, type World } from "./decide.ts";
import type { DriverHost } from "./driver.ts";
import { DriverPool } from "./driver-pool.ts";
import { EngineWatch, type Listing } from "./engine-watch.ts";
import { type Entry, isDraining } from "./entry.ts";
import { installationOf } from "./installation.ts";
import { LogKeeper } from "./log-keeper.ts";
import { News } from "./news.ts";
import type { ResolvedDeployments } from "./options.ts";
import { Presence } from "./presence.ts";
import { serverSpecOf } from "./server-spec.ts";

const ROUND_MS = 500;
const IDLE_ROUND_MS = 1_000;
const STATS_MS = 1_000;
/** For so long the steps of a round may rest on what it began with. */
const FRESH_MS = 1_000;
/** A driver looks again after so long when it hears of nothing. */
const NEWS_MS = 1_000;
const TIMEOUT_MS = 30_000;

/**
 * Looks after all deployments of the installation, together with the other gateways: reads what is there, decides, and
 * takes steps. Any number of gateways do this at once; every step is one compare-and-set, and whoever is second finds
 * that there is nothing to do.
 */
export class DeploymentController {
  readonly book: DeploymentBook;
  readonly logs: LogKeeper;
  readonly activity: DeploymentActivity;
  readonly news: News;
  readonly actions: DeploymentActions;
  readonly options: ResolvedDeployments;
  readonly #host: ControllerHost;
  readonly #configurations: ConfigurationFollower;
  readonly #presence: Presence;
  readonly #drivers: DriverPool;
  readonly #engine: EngineWatch | undefined;
  #installation: string | undefined;
  #enabled: ReadonlyMap<string, Configuration> = new Map();
  #lanes: ReadonlyMap<string, LaneStats> = new Map();
  #lanesAtMs = Number.NEGATIVE_INFINITY;
  #known: Entries = new Map();
  #ours: ReadonlySet<string> = new Set();
  /** Servers that were listed when the book was read, and are none of ours. */
  #strangers: ReadonlySet<string> = new Set();
  #withheld: ReadonlySet<string> = new Set();
  #isRunning = false;
  #isPoked = false;
  #wake: (() => void) | undefined;
  #loop: Promise<void> = Promise.resolve();
  #cancelBeat: () => void = () => {};

  constructor(options: ResolvedDeployments, configurations: ConfigurationFollower, host: ControllerHost) {
    const { records } = options;
    const { clock, leaseMs, newId } = host;
    this.#host = host;
    this.#configurations = configurations;
    this.book = new DeploymentBook(records, clock);
    const deployer = options.deployer && withAdopted(options.deployer, this.book);
    this.options = { ...options, deployer };
    this.logs = new LogKeeper(records, clock);
    this.news = new News(clock);
    this.#presence = new Presence(newId(), { records, clock, leaseMs });
    const { stopGraceMs } = options;
    this.#engine =
      deployer &&
      new EngineWatch({
        ...{ clock, deployer, stopGraceMs, onError: host.onError },
        installation: () => this.installation(),
        readEntries: () => this.book.read(),
        onNews: () => this.poke(),
      });
    this.#drivers = new DriverPool({
      me: this.#presence.id,
      hostFor: (signal) => this.#driverHost(signal),
      onEnd: () => this.take(this.book.known),
      ...{ onError: host.onError, onDrive: host.onChecked },
    });
    this.activity = new DeploymentActivity(this.#presence, host);
    this.actions = new DeploymentActions({
      ...{ book: this.book, options: this.options, clock, newId, me: this.#presence.id, ledger: host.ledger },
      activity: this.activity,
      lane: (model) => this.#lanes.get(model),
      roomBesides: host.roomBesides,
    });
  }

  /** This gateway's name among the others. */
  get id(): string {
    return this.#presence.id;
  }

  /** Within so long it notices what another gateway did. */
  get roundMs(): number {
    return IDLE_ROUND_MS;
  }

  /** By model; as far as this gateway has heard. */
  get enabled(): ReadonlyMap<string, Configuration> {
    return this.#enabled;
  }

  get entries(): Entries {
    return this.#known;
  }

  progressOf(generation: string): PrepareProgress | undefined {
    return this.#drivers.progressOf(generation);
  }

  async installation(): Promise<string> {
    const { records, installation } = this.options;
    this.#installation ??= installation ?? (await installationOf(records, this.#host.newId));
    return this.#installation;
  }

  /** Whether a server is to get nothing new from here. */
  isWithheld(serverId: string): boolean {
    if (this.#withheld.has(serverId)) return true;
    // The others may have taken this gateway for gone, and stop any server at any moment, also one that it has not heard of.
    return !this.#presence.isCurrent && !this.#strangers.has(serverId);
  }

  isOurs(serverId: string): boolean {
    return this.#ours.has(serverId);
  }

  /** Resolves once this gateway is known to the others and knows what is draining; nothing is granted before. */
  async start(): Promise<void> {
    if (this.#isRunning) return;
    await this.#refresh();
    this.#isRunning = true;
    await this.#engine?.start();
    this.#keepBeating();
    this.#loop = this.#run();
  }

  /** Hands over what it drives. The servers stay. */
  async stop(): Promise<void> {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#engine?.stop();
    this.#cancelBeat();
    this.#wake?.();
    await this.#loop;
    await this.#drivers.stop();
    try {
      await this.actions.handOver();
      await this.#presence.leave();
    } catch (error) {
      this.#host.onError("deployments.stop", error);
    }
    this.news.tell();
  }

  /** Look again now. */
  poke(): void {
    this.#isPoked = true;
    this.#wake?.();
  }

  /** Work has come for a model that has no ready server; what waits is counted at once if that may start one. */
  wanted(model: string): void {
    const isMissing = !this.#known.has(model) && !this.#host.isServedBesides(model);
    if (isMissing) this.#lanesAtMs = Number.NEGATIVE_INFINITY;
    this.poke();
  }

  /** Something is known anew of a server. */
  serverChanged(): void {
    this.news.tell();
  }

  /** Takes notice of what was just written. */
  take(entries: Entries): void {
    this.#take(entries);
    this.poke();
  }

  async #run(): Promise<void> {
    while (this.#isRunning) {
      this.#isPoked = false;
      try {
        await this.#round();
      } catch (error) {
        this.#host.onError("deployments", error);
      }
      if (this.#isRunning && !this.#isPoked) await this.#rest();
    }
  }

  /** Whatever a round waits for, the others are told in time that this gateway is there. */
  #keepBeating(): void {
    const { clock, leaseMs, onError } = this.#host;
    this.#cancelBeat = clock.after(leaseMs / 4, () => {
      this.#presence
        .beat(() => this.activity.marks(this.#known))
        .then(() => this.#presence.isCurrent || this.poke())
        .catch((error: unknown) => onError("deployments.beat", error))
        .finally(() => {
          if (this.#isRunning) this.#keepBeating();
        });
    });
  }

  #rest(): Promise<void> {
    const isBusy = [...this.#known.values()].some(({ phase }) => phase !== "ready" && phase !== "failed");
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wake = undefined;
        cancel();
        resolve();
      };
      const cancel = this.#host.clock.after(isBusy ? ROUND_MS : IDLE_ROUND_MS, wake);
      this.#wake = wake;
    });
  }

  async #round(): Promise<void> {
    await this.#refresh();
    if (this.options.deployer === undefined || !this.#presence.isCurrent) return;
    const world = this.#world(this.#engine?.take());
    const decidedMs = this.#host.clock.monotonic();
    for (const step of decide(world)) {
      if (this.#host.clock.monotonic() - decidedMs > FRESH_MS) {
        // What this rests on may be long past; the next round decides anew.
        this.#engine?.want();
        this.poke();
        break;
      }
      try {
        const entries = await this.actions.take(step);
        this.#take(entries);
        if (step.kind === "removeStray" && isReplaced(step.server, entries))
          this.#engine?.removeStray(step.server);
      } catch (error) {
        this.#host.onError(`deployments.${step.kind}`, error);
      }
    }
    this.#drivers.drive(this.#known);
    await this.#presence.sweep();
  }

  /** Tells the others what is done here, and learns what they do. */
  async #refresh(): Promise<void> {
    this.#engine?.look();
    await this.#catchUp();
    await this.#presence.look({ isUrgent: [...this.#known.values()].some(isDraining) });
    await this.#presence.beat(() => this.activity.marks(this.#known));
    // Before they were told of this gateway, the others may have begun to take a server down without asking it.
    if (!this.#presence.isCurrent) await this.#catchUp();
    const enabled = await this.#configurations.enabled();
    this.#enabled = new Map(enabled.map((configuration) => [configuration.model, configuration]));
    await this.#readLanes();
  }

  async #catchUp(): Promise<void> {
    const caughtUp = this.#presence.catchUp();
    // One of ours is in the book before it is started, and so before it is listed.
    const listed = [...this.#host.listed()];
    this.#take(await this.book.read());
    this.#strangers = new Set(listed.filter((id) => !this.#ours.has(id)));
    caughtUp();
  }

  async #readLanes(): Promise<void> {
    const { clock, ledger } = this.#host;
    const nowMs = clock.monotonic();
    const isNeeded = this.#enabled.size > 0 || this.#known.size > 0;
    if (!isNeeded || nowMs - this.#lanesAtMs < STATS_MS) return;
    const { lanes } = await withinTime(clock, TIMEOUT_MS, (signal) => ledger.stats({ signal }));
    this.#lanes = new Map(lanes.map((lane) => [lane.model, lane]));
    this.#lanesAtMs = nowMs;
  }

  #world(listing: Listing | undefined): World {
    const { clock, isServedBesides } = this.#host;
    const isWanted = (model: string): boolean =>
      (this.#lanes.get(model)?.waiting ?? 0) > 0 || this.activity.isAsked(model);
    return {
      nowMs: clock.now(),
      entries: this.#known,
      entriesBefore: listing?.entriesBefore ?? new Map(),
      servers: listing?.servers,
      isLive: (gateway) => this.#presence.isLive(gateway),
      configurations: this.#enabled,
      isWanted,
      isServed: isServedBesides,
      idleMs: (entry) => this.activity.idleMs(entry),
      remaining: (entry) => this.activity.remaining(entry),
      drainMs: this.options.drainMs,
      maxOverrunMs: this.options.maxOverrunMs,
    };
  }

  #take(entries: Entries): void {
    const before = this.#known;
    if (entries === before) return;
    this.#known = entries;
    const ours = new Set<string>();
    const withheld = new Set<string>();
    for (const entry of entries.values()) {
      if (entry.server === undefined) continue;
      ours.add(entry.server.serverId);
      if (isDraining(entry) || entry.phase === "stopping") withheld.add(entry.server.serverId);
    }
    const hasChanged = [...withheld, ...this.#withheld].some(
      (id) => withheld.has(id) !== this.#withheld.has(id),
    );
    this.#ours = ours;
    this.#withheld = withheld;
    if (hasChanged) this.#host.onWithheld();
    this.activity.follow(entries);
    for (const [model, entry] of entries) {
      const known = before.get(model);
      if (known?.generation !== entry.generation || known.phase !== entry.phase)
        this.#host.onChange(entry, known);
    }
    for (const [model, entry] of before) {
      if (entries.has(model)) continue;
      // What waited before its server was removed may have ended, and is no reason to make another one.
      this.#lanesAtMs = Number.NEGATIVE_INFINITY;
      this.#host.onGone(entry);
    }
    this.#drivers.release(entries);
    this.news.tell();
  }

  async #driverHost(signal: AbortSignal): Promise<Omit<DriverHost, "onProgress">> {
    const { clock, random, serverState, failTasks, onError } = this.#host;
    const { deployer, template } = this.options;
    const { attempts, retryMs, readyTimeoutMs, failedRetryMs, stopGraceMs, drainMs } = this.options;
    if (deployer === undefined) throw new GatewayError("UNSUPPORTED", "this gateway has no deployer");
    const installation = await this.installation();
    const specOf = (entry: Entry) => serverSpecOf(template, entry);
    return {
      ...{ book: this.book, deployer, clock, random, installation, specOf, serverState, onError },
      ...{ attempts, retryMs, readyTimeoutMs, failedRetryMs, stopGraceMs, drainMs },
      remaining: (entry) => this.activity.remaining(entry),
      onWithheld: (entries) => this.take(entries),
      me: this.#presence.id,
      isCurrent: () => this.#presence.isCurrent,
      news: (until) => this.news.wait(NEWS_MS, until),
      keepLog: (failed, server) => this.logs.keep(failed.model, deployer, server, installation, signal),
      failTasks: ({ model, error }) => {
        const { code, message } = error ?? { code: "START_FAILED", message: "it could not be started" };
        return failTasks(model, { code, message: `Its model's server could not be deployed: ${message}.` });
      },
    };
  }

  /** Resolves when `isSo` of what is known, or after `timeoutMs`. */
  async until(isSo: () => boolean, timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const { clock } = this.#host;
    const endMs = clock.monotonic() + timeoutMs;
    // Whoever waits here keeps the process alive; no timer does.
    const letGo = clock.hold?.();
    try {
      while (!isSo() && clock.monotonic() < endMs) {
        signal?.throwIfAborted();
        await this.news.wait(Math.max(1, Math.min(ROUND_MS, endMs - clock.monotonic())), signal);
        if (!this.#isRunning) this.#take(await this.book.read(signal));
        else await sleep(clock, 0, signal);
      }
    } finally {
      letGo?.();
    }
  }
}
