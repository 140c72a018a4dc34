import type { Checkpoint } from "../checkpoint.ts";
import type { Clock } from "../contracts/clock.ts";
import type { HoldRef, OrphanHold, ServerWant } from "../contracts/ledger.ts";
import type { RunReport, ServerProtocol } from "../contracts/server-protocol.ts";
import type { ServerDirectory } from "../routing/server-directory.ts";
import { withinTime } from "./time-limit.ts";

export interface HoldWatchOptions {
  readonly clock: Clock;
  readonly checkpoint: Checkpoint;
  readonly directory: ServerDirectory;
  readonly protocol: (name: string) => ServerProtocol | undefined;
  /** A hold is to be released with the next exchange. */
  readonly onRelease: () => void;
}

/** How often one server is asked whether it is free again. */
const LOOK_EVERY_MS = 2_000;
const LOOK_TIMEOUT_MS = 30_000;
/** For how long it must have been free, over two looks. */
const FREE_FOR_MS = 1_000;

/**
 * Looks after holds whose task nobody holds any more: background work that goes on after its task has ended. A hold
 * is released once its server was seen idle, so that one server never does two runs at a time.
 */
export class HoldWatch {
  readonly #options: HoldWatchOptions;
  readonly #lookedMs = new Map<string, number>();
  /** Servers that were seen free of a hold, and when first. */
  readonly #freeSince = new Map<
    string,
    { readonly id: string; readonly attempt: number; readonly atMs: number }
  >();
  #released: HoldRef[] = [];
  readonly #held = new Set<string>();

  constructor(options: HoldWatchOptions) {
    this.#options = options;
  }

  /** What the next exchange releases. */
  get released(): readonly HoldRef[] {
    return this.#released;
  }

  /** An exchange carried these, and its reply has come. */
  forget(carried: readonly HoldRef[]): void {
    if (carried.length > 0) this.#released = this.#released.filter((hold) => !carried.includes(hold));
  }

  /** Whether background work that nobody looks after was still on the server when the ledger was last asked. */
  isHeld(server: string): boolean {
    return this.#held.has(server);
  }

  /**
   * Asks the servers of these holds, each not too often, whether they are free. They are all that there are on the
   * servers that were `asked` for.
   */
  look(orphans: readonly OrphanHold[], asked: readonly ServerWant[]): void {
    for (const { server } of asked) this.#held.delete(server);
    for (const { server } of orphans) this.#held.add(server);
    const nowMs = this.#options.clock.monotonic();
    for (const hold of orphans) {
      if (nowMs - (this.#lookedMs.get(hold.server) ?? Number.NEGATIVE_INFINITY) < LOOK_EVERY_MS) continue;
      this.#lookedMs.set(hold.server, nowMs);
      void this.#check(hold);
    }
  }

  /**
   * One look is not enough: the request that took the hold may have been given up while it was on its way, and a look
   * may overtake it.
   */
  #isStillFree({ server, id, attempt }: OrphanHold): boolean {
    const nowMs = this.#options.clock.monotonic();
    const since = this.#freeSince.get(server);
    if (since?.id !== id || since.attempt !== attempt) {
      this.#freeSince.set(server, { id, attempt, atMs: nowMs });
      return false;
    }
    if (nowMs - since.atMs < FREE_FOR_MS) return false;
    this.#freeSince.delete(server);
    return true;
  }

  async #check(hold: OrphanHold): Promise<void> {
    const { clock, checkpoint, directory } = this.#options;
    const server = directory.get(hold.server)?.server;
    const protocol = server === undefined ? undefined : this.#options.protocol(server.protocol);
    if (server === undefined || protocol === undefined) return;
    const asking = withinTime(clock, LOOK_TIMEOUT_MS, (signal) =>
      protocol.findRun({ server, taskId: hold.id }, { signal }),
    );
    const report = await checkpoint(
      "runner.idle-check",
      asking.catch((): RunReport => ({ run: "unclear" })),
    );
    if (!isFree(report, hold)) {
      this.#freeSince.delete(hold.server);
      return;
    }
    if (!this.#isStillFree(hold)) return;
    this.#released.push({ server: hold.server, id: hold.id, attempt: hold.attempt });
    this.#options.onRelease();
  }
}

function isFree(report: RunReport, hold: OrphanHold): boolean {
  if (report.idle !== undefined) return report.idle;
  if (report.instance !== undefined && hold.instance !== undefined && report.instance !== hold.instance)
    return true;
  // The server cannot tell whether it is free: it is taken to be once the run that held it is over.
  return report.run === "succeeded" || report.run === "failed" || report.run === "none";
}
