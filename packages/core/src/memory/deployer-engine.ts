import { systemClock } from "../clock.ts";
import type { Clock } from "../contracts/clock.ts";
import type {
  DeployedServer,
  DeploymentIdentity,
  PrepareProgress,
  ServerSpec,
} from "../contracts/deployer.ts";
import { GatewayError } from "../errors.ts";
import { EngineGate } from "./deployer-gate.ts";
import { EngineImages } from "./deployer-images.ts";
import { maskOf, type OpenLog } from "./deployer-log.ts";
import { EngineServer, type ServerHost } from "./deployer-server.ts";
import type {
  MemoryEngineCall,
  MemoryEngineEvent,
  MemoryEngineMethod,
  MemoryEngineOptions,
  MemoryImage,
  MemoryServer,
} from "./deployer-types.ts";

const DEFAULT_TIMEOUT_MS = 10_000;
const STRANGER: ServerSpec = { image: "a stranger's", port: 80 };

/**
 * An engine in memory, which deployers share as processes share a real one. Its time is its clock's, and everything
 * that happens on it is written down, for tests.
 */
export class MemoryEngine {
  /** What happened, in order. */
  readonly events: MemoryEngineEvent[] = [];
  /** Graphics cards of its host. */
  readonly gpus: number;
  readonly #clock: Clock;
  readonly #options: MemoryEngineOptions;
  readonly #gate: EngineGate;
  readonly #images: EngineImages;
  readonly #host: ServerHost;
  readonly #servers = new Map<string, EngineServer>();
  readonly #watchers = new Map<string, Set<() => void>>();
  #made = 0;

  constructor(options: MemoryEngineOptions = {}) {
    const { clock = systemClock, timeoutMs = DEFAULT_TIMEOUT_MS, discovery, gpus = 0 } = options;
    this.#options = options;
    this.#clock = clock;
    this.gpus = gpus;
    this.#gate = new EngineGate(clock, timeoutMs);
    this.#images = new EngineImages(this.#gate, options.images, (image) => this.#write("pulled", image));
    this.#host = {
      ...{ clock, discovery, protocol: options.protocol ?? "memory" },
      behaviour: options.behaviour ?? (() => ({})),
      happened: (kind, server) => this.#happened(kind, server),
      requireRoom: (server) => this.#requireRoom(server),
      isUp: () => this.#gate.isOpen,
    };
  }

  /** Every call that reached it, in order, with its time and outcome. */
  get calls(): readonly MemoryEngineCall[] {
    return this.#gate.calls;
  }

  /** Every server, also those of strangers. */
  get servers(): readonly MemoryServer[] {
    return [...this.#servers.values()].map(({ id, name, state, identity, spec }) => ({
      ...{ id, name, state, identity, spec },
    }));
  }

  /** Puts an image into the registry or, unless `isHere` is false, on the host. */
  setImage(name: string, image: MemoryImage = {}): void {
    this.#images.set(name, image);
  }

  /** How often the image was pulled. */
  pulls(image: string): number {
    return this.#images.pulls(image);
  }

  /** Starts a server that no deployer made, and resolves its id. */
  addStranger(name: string): string {
    const server = this.#add(name, STRANGER, undefined);
    server.start();
    return server.id;
  }

  /** Ends the process of a server, as its host does. */
  kill(id: string, exit: DeployedServer["exit"] = { code: 137, isOutOfMemory: false }): void {
    this.#servers.get(id)?.end(exit);
  }

  /** Writes a line as the server. */
  write(id: string, text: string, stream: "stdout" | "stderr" = "stdout"): void {
    this.#servers.get(id)?.log.write({ stream, text });
  }

  /** Lets the next call of this method take effect; its caller is told `DEPLOYER_UNAVAILABLE`. */
  loseReply(method: MemoryEngineMethod): void {
    this.#gate.loseReply(method);
  }

  /**
   * From now on it answers no call: at once, or not at all when it `hangs`. Servers run on, unless the whole host ends,
   * and are found again; calls under way are broken off before they take effect.
   */
  stopEngine(options: { readonly hangs?: boolean; readonly endsServers?: boolean } = {}): void {
    const { hangs = false, endsServers = false } = options;
    this.#gate.close(hangs);
    for (const server of this.#servers.values()) {
      if (endsServers) server.kill();
      server.log.wake();
    }
  }

  startEngine(): void {
    this.#gate.open();
    for (const server of this.#servers.values()) server.recover();
    for (const installation of this.#watchers.keys()) this.#hint(installation);
  }

  /** For deployers, as the methods below. */
  async prepare(
    spec: ServerSpec,
    identity: DeploymentIdentity,
    listener: (progress: PrepareProgress) => void,
  ): Promise<void> {
    await this.#gate.call("prepare", identity.model, 0, async () => {
      const holder = this.#holderOf(identity.model);
      if (holder !== undefined && holder.identity?.installation !== identity.installation) {
        throw nameTaken(identity, holder);
      }
      await this.#images.prepare(spec, listener);
    });
  }

  async create(spec: ServerSpec, identity: DeploymentIdentity): Promise<DeployedServer> {
    return await this.#gate.call("create", identity.model, this.#options.delays?.createMs ?? 0, () => {
      const holder = this.#holderOf(identity.model);
      if (holder !== undefined) throw nameTaken(identity, holder);
      this.#images.require(spec.image);
      const server = this.#add(identity.model, spec, identity);
      this.#happened("created", server);
      return this.#describe(server, identity);
    });
  }

  async start(id: string, installation: string): Promise<void> {
    await this.#gate.call("start", id, this.#options.delays?.startMs ?? 0, () => {
      const server = this.#servers.get(id);
      if (server === undefined || server.removal !== undefined) throw unknown(id);
      requireOurs(server, installation);
      server.start();
    });
  }

  async remove(id: string, installation: string, graceMs: number): Promise<void> {
    await this.#gate.call("remove", id, 0, async () => {
      const server = this.#servers.get(id);
      if (server === undefined) return;
      requireOurs(server, installation);
      server.removal ??= this.#remove(server, graceMs).catch((error: unknown) => {
        server.removal = undefined;
        throw error;
      });
      await server.removal;
    });
  }

  async list(installation: string): Promise<readonly DeployedServer[]> {
    return await this.#gate.call("list", installation, this.#options.delays?.listMs ?? 0, () =>
      [...this.#servers.values()].flatMap((server) =>
        server.identity?.installation === installation ? [this.#describe(server, server.identity)] : [],
      ),
    );
  }

  async openLog(id: string, installation: string): Promise<OpenLog> {
    return await this.#gate.call("logs", id, 0, () => {
      const server = this.#servers.get(id);
      if (server === undefined) throw unknown(id);
      requireOurs(server, installation);
      return {
        log: server.log,
        mask: maskOf(server.spec),
        isEnded: () => {
          this.#gate.requireOpen();
          return server.state !== "running";
        },
      };
    });
  }

  watch(installation: string, listener: () => void): () => void {
    const watchers = this.#watchers.get(installation) ?? new Set();
    this.#watchers.set(installation, watchers);
    // One of its own for each watch, so that the same function may watch twice.
    const own = (): void => listener();
    watchers.add(own);
    return () => {
      watchers.delete(own);
      if (watchers.size === 0 && this.#watchers.get(installation) === watchers) {
        this.#watchers.delete(installation);
      }
    };
  }

  #add(name: string, spec: ServerSpec, identity: DeploymentIdentity | undefined): EngineServer {
    this.#made += 1;
    const server = new EngineServer(this.#host, `server-${this.#made}`, name, spec, identity);
    this.#servers.set(server.id, server);
    return server;
  }

  async #remove(server: EngineServer, graceMs: number): Promise<void> {
    const stopsAfterMs = server.stopsAfterMs;
    if (server.state === "running") {
      server.askToStop();
      await this.#gate.wait(Math.min(stopsAfterMs, graceMs));
    }
    await this.#gate.wait(this.#options.delays?.removeMs ?? 0);
    server.dispose({ code: stopsAfterMs > graceMs ? 137 : 0, isOutOfMemory: false });
    this.#servers.delete(server.id);
    this.#happened("removed", server);
  }

  /** Strangers answer to their names too. */
  #holderOf(name: string): EngineServer | undefined {
    return [...this.#servers.values()].find((server) => server.name === name);
  }

  #describe(server: EngineServer, identity: DeploymentIdentity): DeployedServer {
    const { id, serverId, name, state, exit, spec } = server;
    const imageDigest = this.#images.digestOf(spec.image);
    return { ...identity, ...{ id, serverId, name, state, imageDigest }, ...(exit && { exit: { ...exit } }) };
  }

  #requireRoom(server: EngineServer): void {
    const running = [...this.#servers.values()].filter(({ state }) => state === "running");
    const { memoryBytes = Number.POSITIVE_INFINITY } = this.#options;
    const taken = running.reduce((sum, { spec }) => sum + memoryOf(spec), 0);
    if (taken + memoryOf(server.spec) > memoryBytes) {
      throw new GatewayError("HOST_FULL", "the host has not enough memory; remove a server, or ask for less");
    }
    const wanted = this.#gpusOf(server.spec);
    if (wanted > this.gpus) {
      throw new GatewayError(
        "START_FAILED",
        `gpus asks for ${wanted} of the host's ${this.gpus} cards; ask for less`,
      );
    }
    const inUse = running.reduce((sum, { spec }) => sum + this.#gpusOf(spec), 0);
    if (inUse + wanted > this.gpus) {
      throw new GatewayError("HOST_FULL", "the host's cards are taken; remove a server, or ask for fewer");
    }
  }

  #gpusOf({ gpus = 0 }: ServerSpec): number {
    if (typeof gpus === "number") return gpus;
    return gpus === "all" ? this.gpus : gpus.length;
  }

  #happened(kind: MemoryEngineEvent["kind"], server: EngineServer): void {
    this.#write(kind, server.id, server.identity?.model);
    if (server.identity !== undefined) this.#hint(server.identity.installation);
  }

  #write(kind: MemoryEngineEvent["kind"], id: string, model?: string): void {
    this.events.push({ kind, atMs: this.#clock.monotonic(), id, ...(model !== undefined && { model }) });
  }

  #hint(installation: string): void {
    if (!this.#gate.isOpen) return;
    // Later, so that whoever changes something is not entered again by what it causes.
    queueMicrotask(() => {
      for (const listener of [...(this.#watchers.get(installation) ?? [])]) {
        if (this.#watchers.get(installation)?.has(listener)) tell(listener);
      }
    });
  }
}

/** An engine that several deployers may share: `memoryDeployer({ engine })`. */
export function memoryEngine(options: MemoryEngineOptions = {}): MemoryEngine {
  return new MemoryEngine(options);
}

function memoryOf({ reservations, limits }: ServerSpec): number {
  return reservations?.memoryBytes ?? limits?.memoryBytes ?? 0;
}

function requireOurs(server: EngineServer, installation: string): void {
  if (server.identity?.installation === installation) return;
  throw new GatewayError(
    "NOT_OURS",
    `server "${server.id}" was not started by this installation, and is left alone`,
  );
}

function nameTaken({ model, installation }: DeploymentIdentity, holder: EngineServer): GatewayError {
  const isOurs = holder.identity?.installation === installation;
  return new GatewayError(
    "NAME_TAKEN",
    `model "${model}" has a server of its name already; remove it first`,
    {
      details: { field: "model", ...(isOurs && { holder: holder.id }) },
    },
  );
}

function unknown(id: string): GatewayError {
  return new GatewayError("DEPLOYMENT_UNKNOWN", `there is no server "${id}"; list those that there are`);
}

function tell(listener: () => void): void {
  try {
    listener();
  } catch {
    // The contract forbids it; the other watchers must not pay for it.
  }
}
