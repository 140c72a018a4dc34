import { sleep } from "../clock.ts";
import type { Clock } from "../contracts/clock.ts";
import type { DeployedServer, Deployer, PrepareProgress, ServerSpec } from "../contracts/deployer.ts";
import type { ServerState } from "../contracts/discovery.ts";
import { GatewayError, type GatewayErrorCode } from "../errors.ts";
import type { DeploymentBook, Entries } from "./book.ts";
import type { Remaining } from "./decide.ts";
import { becomeReady, type Entry, failTry, identityOf, withhold } from "./entry.ts";

export interface DriverHost {
  readonly book: DeploymentBook;
  readonly deployer: Deployer;
  readonly clock: Clock;
  readonly random: () => number;
  readonly installation: string;
  /** This gateway. */
  readonly me: string;
  /** Whether the other gateways still count on this one. */
  readonly isCurrent: () => boolean;
  readonly specOf: (entry: Entry) => ServerSpec;
  readonly serverState: (serverId: string) => ServerState | undefined;
  /** Resolves when something was heard of servers, or the engine's, or after a while. */
  readonly news: (signal: AbortSignal) => Promise<void>;
  /** What is still under way on a server that is withheld. */
  readonly remaining: (entry: Entry) => Remaining;
  /** A server is withheld from now on. */
  readonly onWithheld: (entries: Entries) => void;
  readonly onProgress: (entry: Entry, progress: PrepareProgress) => void;
  /** Keeps the last lines of a server that failed, for administrators. */
  readonly keepLog: (entry: Entry, server: DeployedServer) => Promise<void>;
  /** Ends the tasks that wait for the model; resolves when all that waited were told. */
  readonly failTasks: (entry: Entry) => Promise<void>;
  readonly onError: (operation: string, error: unknown) => void;
  readonly attempts: number;
  readonly retryMs: number;
  readonly readyTimeoutMs: number;
  readonly failedRetryMs: number;
  readonly stopGraceMs: number;
  readonly drainMs: number;
}

/** After these, another try would meet the same. */
const FINAL: ReadonlySet<GatewayErrorCode> = new Set([
  "INVALID_REQUEST",
  "INVALID_OPTIONS",
  "NAME_TAKEN",
  "NO_ROOM",
  "UNSUPPORTED",
]);
/** These say nothing about the deployment. */
const AWAY: ReadonlySet<GatewayErrorCode> = new Set(["DEPLOYER_UNAVAILABLE", "STORE_UNAVAILABLE"]);
const LONGEST_RETRY_MS = 60_000;
const LONGEST_AWAY_MS = 5_000;
/** Less than an engine waits before it starts a server again that has ended. */
const ENDED_LOOK_MS = 50;
/** How often somebody else may be met under the same name before it counts as a failure. */
const MAX_MEETINGS = 10;

/** The entry is not this gateway's any more. */
class NotMine extends Error {}

/**
 * Takes one deployment's steps, and repeats what it cannot know to be done: whoever takes over begins with what the
 * engine says. Before each call that changes something it makes sure that it is still its turn.
 */
export class Driver {
  readonly #host: DriverHost;
  readonly #signal: AbortSignal;
  #entry: Entry;

  constructor(entry: Entry, host: DriverHost, signal: AbortSignal) {
    this.#entry = entry;
    this.#host = host;
    this.#signal = signal;
  }

  /** Resolves when there is nothing left to do for it here. Never rejects. */
  async run(): Promise<void> {
    let awayMs = 100;
    for (;;) {
      try {
        if (this.#entry.phase === "deploying") await this.#deploy();
        else if (this.#entry.phase === "stopping") await this.#remove();
        else if (this.#entry.phase === "failing") await this.#tell();
        return;
      } catch (error) {
        if (error instanceof NotMine || this.#signal.aborted) return;
        this.#host.onError(this.#entry.phase, error);
        await sleep(this.#host.clock, awayMs * (0.5 + this.#host.random()), this.#signal).catch(() => {});
        awayMs = Math.min(LONGEST_AWAY_MS, awayMs * 2);
      }
    }
  }

  async #deploy(): Promise<void> {
    let server: DeployedServer | undefined;
    try {
      server = await this.#makeServer();
      await this.#awaitReady(server);
    } catch (error) {
      if (error instanceof NotMine || this.#signal.aborted || isAway(error)) throw error;
      await this.#failed(error, server);
      return;
    }
    await this.#succeed();
  }

  async #succeed(): Promise<void> {
    const { book, clock } = this.#host;
    await book.change((entries) => {
      const entry = this.#mine(entries.get(this.#entry.model));
      return { model: entry.model, entry: becomeReady(entry, clock.now()) };
    });
  }

  /** Brings about that its server runs. */
  async #makeServer(): Promise<DeployedServer> {
    const { deployer, installation, specOf, onProgress } = this.#host;
    const spec = specOf(this.#entry);
    const identity = identityOf(this.#entry, installation);
    const signal = this.#signal;
    for (let meetings = 1; ; meetings += 1) {
      const existing = await this.#clearWay();
      if (existing !== undefined) {
        const started = await this.#startAgain(existing);
        if (started !== undefined) return started;
      }
      await deployer.prepare(spec, identity, {
        signal,
        onProgress: (progress) => onProgress(this.#entry, progress),
      });
      await this.#confirm();
      try {
        return await this.#start(await deployer.create(spec, identity, { signal }));
      } catch (error) {
        const isOurs = GatewayError.is(error, "NAME_TAKEN") && error.details["holder"] !== undefined;
        if (!isOurs || meetings >= MAX_MEETINGS) throw error;
      }
    }
  }

  /** Removes what earlier deployments of the model left; resolves to its own server, if there is one. */
  async #clearWay(): Promise<DeployedServer | undefined> {
    const { deployer, installation, stopGraceMs: graceMs } = this.#host;
    const signal = this.#signal;
    const all = await deployer.list(installation, { signal });
    const servers = all.filter(({ model }) => model === this.#entry.model);
    for (const { id, generation } of servers) {
      if (generation === this.#entry.generation) continue;
      await this.#confirm();
      await deployer.remove(id, { installation, graceMs, signal });
    }
    return servers.find(({ generation }) => generation === this.#entry.generation);
  }

  /** Resolves to nothing when a server that had been ready cannot be started: it was being taken away, and is gone. */
  async #startAgain(server: DeployedServer): Promise<DeployedServer | undefined> {
    try {
      return await this.#start(server);
    } catch (error) {
      const isOver = error instanceof NotMine || this.#signal.aborted || isAway(error);
      if (isOver || this.#entry.readyAtMs === undefined) throw error;
      return (await this.#takeAway(server)) ? undefined : server;
    }
  }

  async #start(server: DeployedServer): Promise<DeployedServer> {
    const { deployer, installation } = this.#host;
    await this.#note(server, this.#entry.isStarted);
    // One that had been ready was stopped by the engine or by hand; one that had not has failed.
    if (server.state === "stopped" && this.#entry.readyAtMs === undefined) throw exitError(server);
    if (server.state !== "running") await deployer.start(server.id, { installation, signal: this.#signal });
    await this.#note(server, true);
    return server;
  }

  async #awaitReady(server: DeployedServer): Promise<void> {
    const { clock, readyTimeoutMs, serverState, news } = this.#host;
    const untilMs = clock.monotonic() + readyTimeoutMs;
    const signal = this.#signal;
    let wasListed = false;
    for (;;) {
      const state = serverState(server.serverId);
      if (state === "ready") return;
      if (clock.monotonic() >= untilMs) {
        const seconds = Math.round(readyTimeoutMs / 1000);
        throw new GatewayError("NEVER_READY", `it was not ready within ${seconds} seconds`);
      }
      // Of what is listed as starting there is nothing new to learn; of what is not listed there may be.
      if (state === undefined) {
        await this.#requireAlive(server);
        // It has ended, and the engine may know it only in a moment; by the next news it has started it again.
        if (wasListed) {
          await sleep(clock, ENDED_LOOK_MS, signal);
          await this.#requireAlive(server);
        }
      }
      wasListed = state !== undefined;
      await news(signal);
      await this.#confirm();
    }
  }

  /** Throws when a server that is to become ready has ended. */
  async #requireAlive({ id, serverId }: DeployedServer): Promise<void> {
    const { deployer, installation, serverState } = this.#host;
    const now = (await deployer.list(installation, { signal: this.#signal })).find((each) => each.id === id);
    // Started again by its engine, and ready meanwhile: it may be at work already.
    if (serverState(serverId) === "ready") return;
    if (now === undefined) throw new GatewayError("SERVER_EXITED", "it was removed while it started");
    // An engine that starts it again and again would hide why it does not become ready.
    const isFirstStart = this.#entry.readyAtMs === undefined;
    if (now.state === "stopped" || (isFirstStart && now.exit !== undefined)) throw exitError(now);
  }

  async #failed(error: unknown, made: DeployedServer | undefined): Promise<void> {
    const { book, clock, attempts, retryMs, deployer, installation, keepLog } = this.#host;
    const signal = this.#signal;
    await this.#confirm();
    const servers = await deployer.list(installation, { signal });
    const listed = servers.find(({ generation }) => generation === this.#entry.generation);
    // One that had been ready and was taken away again says nothing about its deployment.
    const counts = this.#entry.readyAtMs === undefined || made === undefined || listed !== undefined;
    const server = listed ?? made;
    if (server !== undefined) {
      await keepLog(this.#entry, server);
      if (!(await this.#takeAway(server))) return await this.#succeed();
    }
    const code = GatewayError.is(error) ? error.code : "START_FAILED";
    const message = GatewayError.is(error) ? error.message : "it could not be started";
    await book.change((entries) => {
      const entry = this.#mine(entries.get(this.#entry.model));
      const isLast = FINAL.has(code) || (counts && entry.failures + 1 >= attempts);
      const delayMs = Math.min(LONGEST_RETRY_MS, retryMs * 2 ** entry.failures);
      const after = failTry(entry, { code, message }, clock.now(), {
        counts,
        delayMs: isLast ? undefined : delayMs,
      });
      return { model: entry.model, entry: after };
    });
  }

  /** Removes a server whose try failed; resolves to `false` when it has become ready after all, and stays. */
  async #takeAway(server: DeployedServer): Promise<boolean> {
    const { deployer, installation, stopGraceMs: graceMs, specOf } = this.#host;
    // What its engine does not start again stays as it ended; anything else may be at work any moment.
    const { restart = "no" } = specOf(this.#entry);
    const mayWork = server.state === "running" || (server.state === "stopped" && restart !== "no");
    if (mayWork && !(await this.#emptied(server))) return false;
    await this.#confirm();
    await deployer.remove(server.id, { installation, graceMs, signal: this.#signal });
    return true;
  }

  /** Resolves once nobody sends it anything and nothing runs there, or to `false` once it is ready. */
  async #emptied({ serverId }: DeployedServer): Promise<boolean> {
    const { book, clock, drainMs, news, onWithheld, remaining, serverState } = this.#host;
    const entries = await book.change((all) => {
      const entry = this.#mine(all.get(this.#entry.model));
      return { model: entry.model, entry: withhold(entry, clock.now()) };
    });
    this.#entry = this.#mine(entries.get(this.#entry.model));
    onWithheld(entries);
    const untilMs = clock.monotonic() + drainMs;
    for (;;) {
      if (serverState(serverId) === "ready") return false;
      const { isAcknowledged, inFlight } = remaining(this.#entry);
      if (isAcknowledged && (inFlight === 0 || clock.monotonic() >= untilMs)) return true;
      await news(this.#signal);
      await this.#confirm();
    }
  }

  async #remove(): Promise<void> {
    const { book, deployer, installation, stopGraceMs: graceMs } = this.#host;
    const signal = this.#signal;
    const servers = await deployer.list(installation, { signal });
    for (const { id, generation } of servers) {
      if (generation !== this.#entry.generation) continue;
      await this.#confirm();
      await deployer.remove(id, { installation, graceMs, signal });
    }
    await book.change((entries) => ({
      model: this.#mine(entries.get(this.#entry.model)).model,
      entry: null,
    }));
  }

  async #tell(): Promise<void> {
    const { book, clock, failTasks, failedRetryMs } = this.#host;
    await failTasks(this.#entry);
    await book.change((entries) => {
      const entry = this.#mine(entries.get(this.#entry.model));
      const retryAtMs = clock.now() + failedRetryMs;
      return { model: entry.model, entry: { ...entry, phase: "failed", driver: undefined, retryAtMs } };
    });
  }

  /** Writes down which server it is. */
  async #note(server: DeployedServer, isStarted: boolean): Promise<void> {
    const { id, serverId, name, imageDigest } = server;
    const entries = await this.#host.book.change((all) => {
      const entry = this.#mine(all.get(this.#entry.model));
      if (entry.server?.id === id && entry.isStarted === isStarted) return undefined;
      const after = { ...entry, server: { id, serverId, name, imageDigest }, isStarted };
      return { model: entry.model, entry: after };
    });
    this.#entry = this.#mine(entries.get(this.#entry.model));
  }

  /** Throws unless it is still this gateway's turn, by what the store says now. */
  async #confirm(): Promise<void> {
    const entries = await this.#host.book.read(this.#signal);
    this.#entry = this.#mine(entries.get(this.#entry.model));
  }

  #mine(entry: Entry | undefined): Entry {
    this.#signal.throwIfAborted();
    const { generation, phase } = this.#entry;
    const isSame = entry?.generation === generation && entry.phase === phase;
    if (!isSame || entry.driver !== this.#host.me || !this.#host.isCurrent()) throw new NotMine();
    return entry;
  }
}

function isAway(error: unknown): boolean {
  return GatewayError.is(error) && AWAY.has(error.code);
}

/** How a server ended that was not asked to. */
function exitError({ exit }: DeployedServer): GatewayError {
  if (exit?.isOutOfMemory === true) {
    const message = "it took more memory than it may, and was killed";
    return new GatewayError("OUT_OF_MEMORY", exit.message ?? message);
  }
  const code = exit?.code ?? -1;
  const message = exit?.message ?? `it ended with exit code ${code}`;
  return new GatewayError("SERVER_EXITED", message, { details: { exitCode: code } });
}
