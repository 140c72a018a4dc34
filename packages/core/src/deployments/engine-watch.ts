import type { Clock } from "../contracts/clock.ts";
import type { DeployedServer, Deployer } from "../contracts/deployer.ts";
import { withinTime } from "../tasks/time-limit.ts";
import type { Entries } from "./book.ts";

export interface EngineWatchOptions {
  readonly clock: Clock;
  readonly deployer: Deployer;
  readonly installation: () => Promise<string>;
  readonly readEntries: () => Promise<Entries>;
  readonly stopGraceMs: number;
  /** There is something to be looked at. */
  readonly onNews: () => void;
  readonly onError: (operation: string, error: unknown) => void;
}

/** The engine's servers, and the entries as they were right before they were asked for. */
export interface Listing {
  readonly servers: readonly DeployedServer[];
  readonly entriesBefore: Entries;
}

/** The engine is asked for all servers when it hints, and this often anyway. */
const LIST_MS = 60_000;
/** And so soon again when it did not answer. */
const RELIST_MS = 1_000;
const TIMEOUT_MS = 30_000;

/**
 * Knows what the engine has of the installation. Nobody waits for it: an engine that hangs must not keep this gateway
 * from telling the others that it is there.
 */
export class EngineWatch {
  readonly #options: EngineWatchOptions;
  #listing: Listing | undefined;
  #listedAtMs = Number.NEGATIVE_INFINITY;
  #isListing = false;
  #isWanted = true;
  /** Being removed. */
  readonly #strays = new Set<string>();
  #stopWatching: () => void = () => {};

  constructor(options: EngineWatchOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { deployer, installation, onNews } = this.#options;
    this.#stopWatching = deployer.watch(await installation(), () => {
      this.#isWanted = true;
      onNews();
    });
  }

  stop(): void {
    this.#stopWatching();
  }

  /** What was learnt since the last call, if something was. */
  take(): Listing | undefined {
    const listing = this.#listing;
    this.#listing = undefined;
    return listing;
  }

  /** The next look is not to wait. */
  want(): void {
    this.#isWanted = true;
  }

  /** Asks the engine when it is time. */
  look(): void {
    const { clock, onError, onNews } = this.#options;
    const nowMs = clock.monotonic();
    if (this.#isListing || (!this.#isWanted && nowMs - this.#listedAtMs < LIST_MS)) return;
    this.#isWanted = false;
    this.#isListing = true;
    this.#listedAtMs = nowMs;
    this.#list()
      .then((listing) => {
        this.#listing = listing;
        onNews();
      })
      .catch((error: unknown) => {
        this.#listedAtMs = clock.monotonic() - LIST_MS + RELIST_MS;
        onError("deployments.list", error);
      })
      .finally(() => {
        this.#isListing = false;
      });
  }

  /** Removes a server that no entry stands for. */
  removeStray({ id, installation }: DeployedServer): void {
    const { clock, deployer, stopGraceMs: graceMs, onError } = this.#options;
    if (this.#strays.has(id)) return;
    this.#strays.add(id);
    const remove = (signal: AbortSignal) => deployer.remove(id, { installation, graceMs, signal });
    withinTime(clock, graceMs + TIMEOUT_MS, remove)
      .catch((error: unknown) => onError("deployments.remove-stray", error))
      .finally(() => this.#strays.delete(id));
  }

  async #list(): Promise<Listing> {
    const { clock, deployer, readEntries, installation } = this.#options;
    const whose = await installation();
    const entriesBefore = await readEntries();
    const servers = await withinTime(clock, TIMEOUT_MS, (signal) => deployer.list(whose, { signal }));
    return { servers, entriesBefore };
  }
}
