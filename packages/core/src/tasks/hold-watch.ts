import type { Checkpoint } from "../checkpoint.ts";
import type { Clock } from "../contracts/clock.ts";
import type { HoldRef, OrphanHold, ServerWant } from "../contracts/ledger.ts";
import type { RunReport, ServerProtocol } from "../contracts/server-protocol.ts";
import { compareInstances } from "../instance-marks.ts";
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

/** How often one server is asked whether it is free again: at first, and once it was not for a while. */
const LOOK_EVERY_MS = 2_000;
const LOOK_LATER_EVERY_MS = 10_000;
const LATER_AFTER_MS = 60_000;
/** How often it is asked which process it is, where that takes a request more. */
const INSTANCE_EVERY_MS = 30_000;
/** Discovery may still tell of an earlier process for so long after the hold was taken. */
const DISCOVERY_LAG_MS = 10_000;
const LOOK_TIMEOUT_MS = 30_000;
/** For how long it must have been free, over two looks. */
const FREE_FOR_MS = 1_000;

/** A hold, and what was seen of it. Instants are monotonic. */
interface Seen {
  readonly hold: OrphanHold;
  readonly firstMs: number;
  lookedMs: number;
  instanceMs: number;
  /** When it was first seen free, in this row of looks. */
  freeMs: number | undefined;
  /** What discovery said which process it is. */
  discovered: string | undefined;
}

/**
 * Looks after holds whose task nobody holds any more: background work that goes on after its task has ended. A hold
 * is released once its server was seen idle, so that one server never does two runs at a time.
 */
export class HoldWatch {
  readonly #options: HoldWatchOptions;
  /** By server. */
  readonly #seen = new Map<string, Seen>();
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
    for (const hold of orphans) {
      const nowMs = this.#options.clock.monotonic();
      const seen = this.#recall(hold, nowMs);
      const everyMs = nowMs - seen.firstMs > LATER_AFTER_MS ? LOOK_LATER_EVERY_MS : LOOK_EVERY_MS;
      if (nowMs - seen.lookedMs < everyMs) continue;
      seen.lookedMs = nowMs;
      void this.#check(seen);
    }
  }

  #recall(hold: OrphanHold, nowMs: number): Seen {
    const known = this.#seen.get(hold.server);
    if (known !== undefined && known.hold.id === hold.id && known.hold.attempt === hold.attempt) return known;
    const never = Number.NEGATIVE_INFINITY;
    const seen: Seen = {
      ...{ hold, firstMs: nowMs, lookedMs: known?.lookedMs ?? never, instanceMs: never },
      ...{ freeMs: undefined, discovered: undefined },
    };
    this.#seen.set(hold.server, seen);
    return seen;
  }

  /**
   * One look is not enough: the request that took the hold may have been given up while it was on its way, and a look
   * may overtake it.
   */
  #isStillFree(seen: Seen): boolean {
    const nowMs = this.#options.clock.monotonic();
    seen.freeMs ??= nowMs;
    if (nowMs - seen.freeMs < FREE_FOR_MS) return false;
    seen.freeMs = undefined;
    return true;
  }

  async #check(seen: Seen): Promise<void> {
    const { clock, checkpoint, directory } = this.#options;
    const { hold } = seen;
    const server = directory.get(hold.server)?.server;
    const protocol = server === undefined ? undefined : this.#options.protocol(server.protocol);
    if (server === undefined || protocol === undefined) return;
    const nowMs = clock.monotonic();
    // What frees it must be seen twice.
    const wantsInstance = seen.freeMs !== undefined || nowMs - seen.instanceMs >= INSTANCE_EVERY_MS;
    if (wantsInstance) seen.instanceMs = nowMs;
    if (nowMs - seen.firstMs >= DISCOVERY_LAG_MS) seen.discovered ??= server.instance;
    const asking = withinTime(clock, LOOK_TIMEOUT_MS, (signal) =>
      protocol.findRun({ server, taskId: hold.id, wantsInstance }, { signal }),
    );
    const report = await checkpoint(
      "runner.idle-check",
      asking.catch((): RunReport => ({ run: "unclear" })),
    );
    const isReplaced = compareInstances(seen.discovered, server.instance) === "other";
    if (!isFree(report, hold, isReplaced)) {
      seen.freeMs = undefined;
      return;
    }
    if (!this.#isStillFree(seen)) return;
    this.#released.push({ server: hold.server, id: hold.id, attempt: hold.attempt });
    this.#options.onRelease();
  }
}

function isFree(report: RunReport, hold: OrphanHold, isReplaced: boolean): boolean {
  if (report.idle !== undefined) return report.idle;
  if (report.isLost === true || compareInstances(hold.instance, report.instance) === "other") return true;
  // What discovery says counts where the server does not say which process it is.
  if (isReplaced && report.instance === undefined) return true;
  // The server cannot tell whether it is free: it is taken to be once the run that held it is over.
  return ["succeeded", "failed", "ambiguous", "none"].includes(report.run);
}
