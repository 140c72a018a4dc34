import { constants } from "node:os";
import { type Discovery, type DiscoveryChange, GatewayError, type OperationOptions } from "@modelgate/core";
import { MonitoredServers, type ServerEntry, unlessAborted } from "@modelgate/core/adapter";
import { EngineConnection } from "../connection/connection.ts";
import { EngineError } from "../connection/engine-error.ts";
import type { EngineEvent } from "../connection/events.ts";
import { serverIdOf } from "../server-id.ts";
import type { Vantage } from "./address.ts";
import { type ContainerFacts, factsOf } from "./container-facts.ts";
import { describeContainer, problemText } from "./describe-container.ts";
import { EngineWatch, type EngineWatcher, type Listing } from "./engine-watch.ts";
import type { ListedContainer } from "./listed-container.ts";
import { checkDiscoveryOptions, type DiscoverySettings, type DockerDiscoveryOptions } from "./options.ts";
import { findVantage } from "./vantage.ts";

/**
 * Finds model servers in the containers of a Docker Engine, from the first `watch` or `refresh` on. A server is ready
 * when our own probe says so; what the container's health check says is told in `details`. One that is asked to stop is
 * `draining` at once, one that is paused is not ready. While the engine is away, what was known stays and is probed on,
 * and `watch` resolves after two seconds with what there is. It only reads. Throws `INVALID_OPTIONS`.
 */
export function dockerDiscovery(options: DockerDiscoveryOptions): Discovery {
  return new DockerDiscovery(options);
}

interface KnownContainer {
  readonly facts: ContainerFacts;
  /** As it was last listed; absent until then. */
  readonly signature: string | undefined;
  /** When it was asked to stop, by the monotonic clock. */
  readonly stopAskedAtMs: number | undefined;
}

/** How long `watch` waits for an engine. */
const FIRST_LISTING_MS = 2000;
/** A listing tells to the second for how long a container has run; engines round. */
const UP_TOLERANCE_MS = 5000;
const STOP_SIGNALS: readonly number[] = [
  constants.signals.SIGTERM,
  constants.signals.SIGKILL,
  constants.signals.SIGINT,
  constants.signals.SIGQUIT,
];
/** How many events are remembered, to know those that are told again after a reconnection. */
const REMEMBERED_EVENTS = 512;

class DockerDiscovery implements Discovery, EngineWatcher {
  readonly capabilities: { readonly instances: boolean } = { instances: true };
  readonly #settings: DiscoverySettings;
  readonly #connection: EngineConnection;
  readonly #servers: MonitoredServers;
  readonly #watch: EngineWatch;
  readonly #known = new Map<string, KnownContainer>();
  /** The newest look at each container that is on its way; older ones are not believed any more. */
  readonly #looks = new Map<string, object>();
  /** All that are on their way. */
  readonly #looking = new Set<Promise<void>>();
  readonly #warned = new Map<string, string>();
  readonly #heard = new Set<string>();
  #vantage: Vantage = { publishedHost: "127.0.0.1", reach: "all" };
  readonly #closing = new AbortController();
  #onFirstListing: () => void = () => {};
  readonly #firstListing: Promise<void>;

  constructor(options: DockerDiscoveryOptions) {
    this.#settings = checkDiscoveryOptions(options);
    this.#connection = new EngineConnection(options);
    this.#servers = new MonitoredServers(this.#settings.probing);
    this.#watch = new EngineWatch({
      connection: this.#connection,
      watcher: this,
      clock: this.#settings.probing.clock,
      required: this.#settings.required,
      listIntervalMs: this.#settings.listIntervalMs,
    });
    this.#firstListing = new Promise((resolve) => {
      this.#onFirstListing = resolve;
    });
  }

  async watch(
    listener: (change: DiscoveryChange) => void,
    options: OperationOptions = {},
  ): Promise<() => void> {
    this.#check(options);
    await this.#started(options);
    return this.#servers.watch(listener);
  }

  async refresh(options: OperationOptions = {}): Promise<void> {
    this.#check(options);
    await this.#started(options);
    await unlessAborted(this.#lookAtAll(), options.signal, this.#closing.signal);
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new GatewayError("CLOSED", "the Docker discovery was closed"));
    this.#watch.close();
    this.#connection.close();
    this.#servers.close();
  }

  async onConnect(): Promise<void> {
    const { publishedHost } = this.#settings;
    this.#vantage = await findVantage(this.#connection, publishedHost);
  }

  async onGap({ containers, touched }: Listing): Promise<void> {
    const listed = new Map(containers.map((container) => [container.id, container]));
    const isGone = (id: string): boolean => !listed.has(id) && !touched.has(id);
    for (const id of [...this.#known.keys()]) if (isGone(id)) this.#forget(id);
    const looks = containers.filter(({ id }) => !touched.has(id));
    await Promise.all(looks.map((container) => this.#look(container.id, container, () => {})));
    // Where events overtook the listing, as those of the last second do that are told again, their looks count.
    await Promise.allSettled(this.#looking);
    const entries = [...this.#known.values()].filter(({ stopAskedAtMs }) => stopAskedAtMs === undefined);
    const draining = [...this.#known.values()].filter(({ stopAskedAtMs }) => stopAskedAtMs !== undefined);
    this.#servers.replace(
      entries.flatMap(({ facts }) => this.#describe(facts) ?? []),
      new Set(draining.map(({ facts }) => serverIdOf(facts.id))),
    );
    this.#onFirstListing();
  }

  async onListing({ containers, touched, at }: Listing): Promise<boolean> {
    const listed = new Set(containers.map(({ id }) => id));
    const gone = [...this.#known.keys()].filter((id) => !listed.has(id) && !touched.has(id));
    for (const id of gone) this.#remove(id);
    const unheard = containers.filter(
      (container) => !touched.has(container.id) && !this.#isAsKnown(container, at),
    );
    await Promise.all(
      unheard.map((container) => this.#look(container.id, container, (id) => this.#tell(id))),
    );
    for (const { id, health } of containers) {
      if (!touched.has(id) && this.#known.get(id)?.facts.health !== health) this.#changeFacts(id, { health });
    }
    this.#endDraining();
    return gone.length + unheard.length > 0;
  }

  onEvent(event: EngineEvent): void {
    if (this.#closing.signal.aborted || this.#wasHeard(event)) return;
    if (event.type === "network") {
      const id = event.attributes["container"];
      if (id !== undefined && this.#known.has(id)) this.#lookSoon(id);
      return;
    }
    const { id, action, detail, attributes } = event;
    if (action === "start" && this.#isServer(attributes)) {
      this.#change(id, { stopAskedAtMs: undefined });
      this.#lookSoon(id);
    } else if (action === "die" || action === "destroy") this.#remove(id);
    else if (action === "kill") this.#onKill(id, attributes["signal"] ?? "");
    else if (action === "pause") this.#changeFacts(id, { state: "paused" });
    else if (action === "unpause") this.#changeFacts(id, { state: "running" });
    else if (action === "rename") this.#changeFacts(id, { name: attributes["name"] ?? "" });
    else if (action === "health_status")
      this.#changeFacts(id, { health: detail ?? attributes["health_status"] });
    else if (action === "update" && this.#known.has(id)) this.#lookSoon(id);
  }

  /** Resolves with the first listing, or when there has been time enough for one. */
  async #started({ signal }: OperationOptions): Promise<void> {
    this.#servers.start();
    this.#watch.start();
    const { clock } = this.#settings.probing;
    let cancelTimer = (): void => {};
    const timer = new Promise<void>((resolve) => {
      cancelTimer = clock.after(FIRST_LISTING_MS, resolve);
    });
    // Nothing else keeps a process alive that waits for an engine that is away.
    const letGo = clock.hold?.();
    try {
      await unlessAborted(Promise.race([this.#firstListing, timer]), signal, this.#closing.signal);
    } finally {
      cancelTimer();
      letGo?.();
    }
  }

  /** While the engine is away there are no news of it, and the servers known are looked at all the same. */
  async #lookAtAll(): Promise<void> {
    await this.#watch.list().catch(() => {});
    await Promise.allSettled(this.#looking);
    await this.#servers.probe();
  }

  /** Looks at a container of which something was heard. Nobody waits for it: what fails is found by listing again. */
  #lookSoon(id: string): void {
    const looking = this.#look(id, undefined, (changed) => this.#tell(changed))
      .catch(() => this.#watch.doubt())
      .finally(() => this.#looking.delete(looking));
    this.#looking.add(looking);
  }

  /** Inspects one container and tells what came out, unless something newer is known by then. */
  async #look(id: string, listed: ListedContainer | undefined, tell: (id: string) => void): Promise<void> {
    const look = {};
    this.#looks.set(id, look);
    let facts: ContainerFacts | undefined;
    try {
      const path = `/containers/${encodeURIComponent(id)}/json`;
      facts = factsOf((await this.#connection.call({ path })).body);
    } catch (error) {
      if (this.#looks.get(id) === look) this.#looks.delete(id);
      if (EngineError.is(error, 404)) return this.#remove(id);
      throw error;
    }
    if (this.#looks.get(id) !== look) return;
    this.#looks.delete(id);
    if (facts === undefined || facts.state === "stopped" || !this.#isServer(facts.labels)) {
      return this.#remove(id);
    }
    const known = this.#known.get(id);
    const isSameStart = known?.facts.startedAt === facts.startedAt;
    this.#known.set(id, {
      facts,
      signature: listed?.signature,
      stopAskedAtMs: isSameStart ? known?.stopAskedAtMs : undefined,
    });
    tell(id);
  }

  #onKill(id: string, signal: string): void {
    const known = this.#known.get(id);
    if (known === undefined || !stops(signal, known.facts.stopSignal)) return;
    this.#change(id, { stopAskedAtMs: known.stopAskedAtMs ?? this.#settings.probing.clock.monotonic() });
    this.#servers.drain(serverIdOf(id));
  }

  /** A server that was asked to stop long ago has not understood it as that. */
  #endDraining(): void {
    const { drainMs, probing } = this.#settings;
    for (const [id, { stopAskedAtMs }] of this.#known) {
      if (stopAskedAtMs === undefined || probing.clock.monotonic() - stopAskedAtMs < drainMs) continue;
      this.#change(id, { stopAskedAtMs: undefined });
      this.#tell(id);
    }
  }

  #changeFacts(id: string, change: Partial<ContainerFacts>): void {
    // What is on its way may have been said before this happened.
    if (this.#looks.has(id)) this.#lookSoon(id);
    const known = this.#known.get(id);
    if (known === undefined) return;
    this.#change(id, { facts: { ...known.facts, ...change }, signature: undefined });
    this.#tell(id);
  }

  #change(id: string, change: Partial<KnownContainer>): void {
    const known = this.#known.get(id);
    if (known !== undefined) this.#known.set(id, { ...known, ...change });
  }

  #tell(id: string): void {
    const known = this.#known.get(id);
    if (known === undefined || known.stopAskedAtMs !== undefined) return;
    const entry = this.#describe(known.facts);
    if (entry === undefined) this.#servers.remove(serverIdOf(id));
    else this.#servers.set(entry);
  }

  #remove(id: string): void {
    this.#forget(id);
    this.#servers.remove(serverIdOf(id));
  }

  #forget(id: string): void {
    this.#looks.delete(id);
    this.#known.delete(id);
    this.#warned.delete(id);
  }

  #describe(facts: ContainerFacts): ServerEntry | undefined {
    const { entry, problems } = describeContainer(facts, this.#settings, this.#vantage);
    const text = problems.map(problemText).join("; ");
    if (this.#warned.get(facts.id) !== text) {
      this.#warned.set(facts.id, text);
      for (const { label, problem } of problems) this.#warn(facts, label, problem);
    }
    return entry;
  }

  #warn(facts: ContainerFacts, label: string | undefined, problem: string): void {
    try {
      this.#settings.onWarning({ id: facts.id, container: facts.name, label, problem });
    } catch {
      // What others make of a warning must not keep a server from being found.
    }
  }

  #isServer(labels: Readonly<Record<string, string>>): boolean {
    return this.#settings.required.every((wanted) => {
      const at = wanted.indexOf("=");
      return at < 0 ? wanted in labels : labels[wanted.slice(0, at)] === wanted.slice(at + 1);
    });
  }

  #isAsKnown({ id, signature, upForMs }: ListedContainer, at: Date | undefined): boolean {
    const known = this.#known.get(id);
    if (known === undefined) return false;
    const startedAtMs = Date.parse(known.facts.startedAt);
    if (at !== undefined && upForMs !== undefined && !Number.isNaN(startedAtMs)) {
      if (at.getTime() - startedAtMs > upForMs + UP_TOLERANCE_MS) return false;
    }
    if (known.signature === undefined) this.#change(id, { signature });
    else if (known.signature !== signature) return false;
    return true;
  }

  /** After a reconnection the engine tells the last second again. */
  #wasHeard({ atNs, id, action, detail }: EngineEvent): boolean {
    if (atNs === 0n) return false;
    const key = `${atNs} ${id} ${action} ${detail}`;
    if (this.#heard.has(key)) return true;
    this.#heard.add(key);
    for (const oldest of this.#heard) {
      if (this.#heard.size <= REMEMBERED_EVENTS) break;
      this.#heard.delete(oldest);
    }
    return false;
  }

  #check(options: OperationOptions): void {
    this.#closing.signal.throwIfAborted();
    options.signal?.throwIfAborted();
  }
}

/** Whether a signal, by its number or name, asks the container to stop. */
function stops(signal: string, stopSignal: string | undefined): boolean {
  const number = signalNumber(signal);
  return STOP_SIGNALS.includes(number) || (stopSignal !== undefined && number === signalNumber(stopSignal));
}

function signalNumber(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  const name = text.toUpperCase().replace(/^(SIG)?/, "SIG");
  return (constants.signals as Readonly<Record<string, number>>)[name] ?? 0;
}
