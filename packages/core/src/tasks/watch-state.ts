import type { RunReport } from "../contracts/server-protocol.ts";
import { compareInstances, mergeInstances } from "../instance-marks.ts";
import type { Attempt, AttemptHost, Target } from "./attempt.ts";

/** First pause of a watch. */
const FIRST_PAUSE_MS = 250;
/** The slowest pace of a watch. */
const LONGEST_PAUSE_MS = 15_000;
/** Whatever may look otherwise in a moment must be seen for so long. */
export const SETTLE_MS = 5_000;
/** How often a server is asked which process it is, where that takes a request more. */
const INSTANCE_EVERY_MS = 30_000;
/** Discovery may still tell of an earlier process for so long after a task was sent. */
const DISCOVERY_LAG_MS = 10_000;

/** What is known of a send when the watch begins. */
export interface WatchStart {
  /** The server accepted it (202), now or to an earlier attempt. Otherwise it is unclear whether it arrived. */
  readonly isConfirmed: boolean;
  readonly runId?: string | undefined;
  /** The incarnation of the server that it was sent to. */
  readonly instance?: string | undefined;
  /** The ledger does not know yet that the server accepted it. */
  readonly announce?: boolean | undefined;
}

/** What one watch has learnt. Instants are monotonic. */
export class Watch {
  isConfirmed: boolean;
  runId: string | undefined;
  instance: string | undefined;
  /**
   * Whether the server itself named that instance after the send. Discovery may be late: the instance that it named
   * before may have been replaced by then, and proves nothing.
   */
  isInstanceSure: boolean;
  /** When this watch began. */
  readonly startedMs: number;
  /** When the task was sent, perhaps by an earlier attempt of another process. */
  readonly sentMs: number;
  /** Since when each is seen without a break: no such run, ambiguous, an ending that is to be confirmed. */
  noneSinceMs: number | undefined;
  ambiguousSinceMs: number | undefined;
  provisionalSinceMs: number | undefined;
  cancelAskedMs: number | undefined;
  isCancelTaken = false;
  /** As it was found last; a server that is gone may still be asked about, for what its tracker knows. */
  target: Target | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #instanceAskedMs: number;
  #discovered: string | undefined;
  /** Since when another process answers, by the server's own word and by discovery's. */
  #goneSinceMs: number | undefined;
  #replacedSinceMs: number | undefined;

  constructor(attempt: Attempt, host: AttemptHost, start: WatchStart) {
    const nowMs = host.clock.monotonic();
    this.isConfirmed = start.isConfirmed;
    this.runId = start.runId ?? attempt.task.runId;
    this.instance = start.instance ?? attempt.task.instance;
    this.isInstanceSure = start.isConfirmed;
    this.startedMs = nowMs;
    this.sentMs = attempt.grant.kind === "recover" ? attempt.sentMs : nowMs;
    // The acceptance itself has asked.
    this.#instanceAskedMs = start.announce === true ? nowMs : Number.NEGATIVE_INFINITY;
  }

  /** The next look is soon again. */
  quicken(): void {
    this.#pauseMs = FIRST_PAUSE_MS;
  }

  /** How long to wait before the next look: longer each time, and not all at once. */
  nextPauseMs(random: () => number): number {
    const pauseMs = this.#pauseMs * (0.75 + random() / 2);
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 1.5);
    return pauseMs;
  }

  /** Whether this look is to find out which process answers. */
  wantsInstance(nowMs: number): boolean {
    const isKnown = this.isConfirmed && this.#goneSinceMs === undefined;
    if (isKnown && nowMs - this.#instanceAskedMs < INSTANCE_EVERY_MS) return false;
    this.#instanceAskedMs = nowMs;
    return true;
  }

  /** Takes in what a look says of processes and of what lasts. */
  learn(report: RunReport, target: Target | undefined, nowMs: number): void {
    const told = compareInstances(this.instance, report.instance);
    this.isInstanceSure ||= told === "same";
    this.noneSinceMs = report.run === "none" ? (this.noneSinceMs ?? nowMs) : undefined;
    this.ambiguousSinceMs = report.run === "ambiguous" ? (this.ambiguousSinceMs ?? nowMs) : undefined;
    this.provisionalSinceMs = report.isProvisional ? (this.provisionalSinceMs ?? nowMs) : undefined;
    const discovered = this.#discover(target, nowMs);
    if (report.isLost === true || (this.isInstanceSure && told === "other")) this.#goneSinceMs ??= nowMs;
    else if (told === "same") this.#goneSinceMs = undefined;
    // A source that did not say anything before counts from here on.
    else if (this.isConfirmed && report.instance !== undefined)
      this.instance = mergeInstances(report.instance, this.instance);
    // What the server says of itself counts before what discovery says of it.
    if (discovered !== "other" || told === "same") this.#replacedSinceMs = undefined;
    else if (this.isConfirmed) this.#replacedSinceMs ??= nowMs;
  }

  /** For how long it has been known that the process that ran it is gone; negative when it is not known. */
  goneForMs(nowMs: number): number {
    return Math.max(Watch.forMs(this.#goneSinceMs, nowMs), Watch.forMs(this.#replacedSinceMs, nowMs));
  }

  /** For how long something has been seen without a break. */
  static forMs(sinceMs: number | undefined, nowMs: number): number {
    return sinceMs === undefined ? Number.NEGATIVE_INFINITY : nowMs - sinceMs;
  }

  #discover(target: Target | undefined, nowMs: number): "same" | "other" | "unknown" {
    const instance = target?.server.instance;
    if (instance === undefined || nowMs - this.startedMs < DISCOVERY_LAG_MS) return "unknown";
    this.#discovered ??= instance;
    return compareInstances(this.#discovered, instance);
  }
}
