import type { Clock } from "../contracts/clock.ts";
import type {
  DeployedServer,
  DeployedState,
  DeploymentIdentity,
  Room,
  ServerSpec,
} from "../contracts/deployer.ts";
import type { ServerState } from "../contracts/discovery.ts";
import { GatewayError } from "../errors.ts";
import { EngineLog } from "./deployer-log.ts";
import type { MemoryBehaviour, MemoryEngineEvent, MemoryServerBehaviour } from "./deployer-types.ts";
import type { MemoryDiscovery } from "./discovery.ts";

type Exit = NonNullable<DeployedServer["exit"]>;

const KILLED = 137;
const FIRST_RESTART_MS = 100;
const LONGEST_RESTART_MS = 60_000;

/** What a server has to do with the engine that it lives on. */
export interface ServerHost {
  readonly clock: Clock;
  readonly discovery: MemoryDiscovery | undefined;
  readonly protocol: string;
  readonly behaviour: MemoryBehaviour;
  readonly happened: (kind: MemoryEngineEvent["kind"], server: EngineServer) => void;
  /** Throws `HOST_FULL`. */
  readonly requireRoom: (server: EngineServer) => void;
  readonly isUp: () => boolean;
}

/** One server of an engine: its process comes and goes, and the discovery is told. */
export class EngineServer {
  readonly id: string;
  readonly serverId: string;
  readonly name: string;
  readonly spec: ServerSpec;
  /** Absent for a stranger. */
  readonly identity: DeploymentIdentity | undefined;
  readonly log: EngineLog = new EngineLog();
  state: DeployedState = "created";
  exit: Exit | undefined;
  /** Set as long as it is being removed. */
  removal: Promise<void> | undefined;
  #isAsked = false;
  #starts = 0;
  /** Restarts by the engine since it was last started by somebody. */
  #restarts = 0;
  #now: MemoryServerBehaviour = {};
  readonly #host: ServerHost;
  readonly #timers = new Set<() => void>();

  constructor(
    host: ServerHost,
    id: string,
    name: string,
    spec: ServerSpec,
    identity: DeploymentIdentity | undefined,
  ) {
    this.#host = host;
    this.id = id;
    this.serverId = `memory-${id}`;
    this.name = name;
    // A copy: what the caller does to its object later is no concern of the engine.
    this.spec = structuredClone(spec);
    this.identity = identity && { ...identity };
  }

  /** From being asked to stop until it ends. */
  get stopsAfterMs(): number {
    return this.#now.stopsAfterMs ?? 0;
  }

  start(): void {
    if (this.state === "running") return;
    this.#restarts = 0;
    this.#start();
  }

  /** After the engine was away: what it keeps running runs again. */
  recover(): void {
    if (this.state === "stopped" && this.#isKept() && this.#timers.size === 0) this.#restart();
  }

  /** The process ends. */
  end(exit: Exit): void {
    if (this.state !== "running") return;
    this.#cancelTimers();
    this.state = "stopped";
    this.exit = exit;
    this.#tell(undefined);
    this.log.wake();
    this.#host.happened("stopped", this);
    if (!this.#isKept() || !this.#host.isUp()) return;
    const delayMs = Math.min(LONGEST_RESTART_MS, FIRST_RESTART_MS * 2 ** this.#restarts);
    this.#restarts += 1;
    this.#after(delayMs, () => this.#restart());
  }

  kill(): void {
    this.end({ code: KILLED, isOutOfMemory: false });
  }

  /** The process ends in its own time, also when the engine goes away meanwhile. */
  askToStop(): void {
    if (this.state !== "running" || this.#isAsked) return;
    this.#isAsked = true;
    this.#tell("draining");
    this.#after(this.stopsAfterMs, () => this.end({ code: 0, isOutOfMemory: false }));
  }

  /** It is gone: nothing of it comes back. */
  dispose(exit: Exit): void {
    this.#isAsked = true;
    this.end(exit);
    this.#cancelTimers();
    this.log.wake();
  }

  #start(): void {
    const { behaviour, happened, requireRoom } = this.#host;
    requireRoom(this);
    this.#cancelTimers();
    const now = this.identity === undefined ? {} : behaviour(this.spec, this.identity, this.#starts + 1);
    if (now.startFailure !== undefined) {
      throw new GatewayError("START_FAILED", `server "${this.name}" cannot be started: ${now.startFailure}`);
    }
    this.#now = now;
    this.#starts += 1;
    this.state = "running";
    this.exit = undefined;
    this.#isAsked = false;
    happened("started", this);
    this.#tell("starting");
    for (const line of now.lines ?? []) this.log.write(line);
    this.#plan(now);
  }

  #plan({ readyAfterMs = 0, exit, memoryBytes = 0 }: MemoryServerBehaviour): void {
    const isOutOfMemory = memoryBytes > (this.spec.limits?.memoryBytes ?? Number.POSITIVE_INFINITY);
    if (isOutOfMemory) this.#after(exit?.afterMs ?? 0, () => this.end({ code: KILLED, isOutOfMemory }));
    else if (exit !== undefined)
      this.#after(exit.afterMs, () => this.end({ code: exit.code, isOutOfMemory }));
    this.#after(readyAfterMs, () => {
      if (this.#isAsked) return;
      this.#host.happened("ready", this);
      this.#tell("ready");
    });
  }

  #restart(): void {
    try {
      this.#start();
    } catch (error) {
      // It stays stopped, as on any engine that finds no room for it.
      this.log.write({ stream: "stderr", text: error instanceof Error ? error.message : String(error) });
    }
  }

  #isKept(): boolean {
    return this.spec.restart === "unless-stopped" && !this.#isAsked;
  }

  #after(delayMs: number, callback: () => void): void {
    if (delayMs === Number.POSITIVE_INFINITY) return;
    const cancel = this.#host.clock.after(delayMs, () => {
      this.#timers.delete(cancel);
      callback();
    });
    this.#timers.add(cancel);
  }

  #cancelTimers(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }

  /** Tells the discovery of its state, or that it is gone. */
  #tell(state: ServerState | undefined): void {
    const { discovery, protocol } = this.#host;
    if (discovery === undefined || this.identity === undefined) return;
    try {
      if (state === undefined) {
        discovery.remove(this.serverId);
        return;
      }
      discovery.set({
        ...{ id: this.serverId, url: `memory:${this.name}`, models: [this.identity.model], protocol, state },
        ...{ instance: `${this.id}/${this.#starts}`, limit: this.#now.limit, room: roomOf(this.spec) },
      });
    } catch (error) {
      // It was handed in, and whoever closed it wants to hear no more.
      if (!GatewayError.is(error, "CLOSED")) throw error;
    }
  }
}

/** What a server is limited to, for the discovery. */
function roomOf({ limits }: ServerSpec): Partial<Room> | undefined {
  if (limits === undefined) return undefined;
  const { pids: _, ...room } = limits;
  return room;
}
