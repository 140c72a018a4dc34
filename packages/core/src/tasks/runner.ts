import type {
  ExchangeOutcome,
  ExchangeReply,
  ExchangeRequest,
  Grant,
  RenewRef,
  Settlement,
} from "../contracts/ledger.ts";
import { GatewayError } from "../errors.ts";
import type { KnownServer } from "../routing/server-directory.ts";
import { Attempt, type AttemptHost } from "./attempt.ts";
import { HoldWatch } from "./hold-watch.ts";
import { observeServer } from "./observe-server.ts";
import { Outbox } from "./outbox.ts";
import { runAttempt } from "./run-attempt.ts";
import type { RunnerOptions } from "./runner-options.ts";
import { SlotOffers } from "./slot-offers.ts";
import { inTime } from "./time-limit.ts";
import { unbegun } from "./unbegun.ts";

/** Recoveries that one runner looks after at once. They take no slot, only a request now and then. */
const MAX_RECOVERIES = 1_000;
/** First and longest wait after an exchange that failed. */
const RETRY_MS = 50;
const LONGEST_RETRY_MS = 2_000;
const keyOf = (ref: { readonly id: string; readonly attempt: number }): string => `${ref.attempt}#${ref.id}`;

/**
 * Works on tasks. One loop talks to the ledger, one exchange at a time: it carries what was settled, what is still
 * held and which servers have room, and brings grants. Each grant is then worked on by itself.
 *
 * - Nothing is asked for that could not start now.
 * - A hold counts from before its request was sent. A quarter of the lease before its end all work under it stops.
 * - A reply that is lost is asked for again with the same sequence, which gives the same grants.
 */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #outbox = new Outbox();
  readonly #attempts = new Map<string, Attempt>();
  readonly #host: AttemptHost;
  readonly #holds: HoldWatch;
  readonly #offers: SlotOffers;
  #sequence = 1;
  #acknowledged = 0;
  /** When the open sequence was first sent; its grants count from then. */
  #firstSentMs: number | undefined;
  #state: "idle" | "working" | "draining" | "stopped" = "idle";
  #isWanted = false;
  #isWatching = false;
  /** Granted, and about to begin. */
  #toRun: Attempt[] = [];
  /** When a server's pause ends, so that it is asked for again at once. */
  #resumesMs: number | undefined;
  #wake: (() => void) | undefined;
  #nextLookMs = 0;
  #loop: Promise<void> = Promise.resolve();
  #onEmpty: (() => void) | undefined;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#offers = new SlotOffers(options.maxConcurrentTasks, options.pollMs);
    const { clock, random, checkpoint, objects, inlineBytes, directory, events } = options;
    this.#holds = new HoldWatch({
      clock,
      checkpoint,
      directory,
      protocol: options.protocol,
      onRelease: () => this.poke(),
    });
    this.#host = {
      clock,
      random,
      checkpoint,
      objects,
      inlineBytes,
      storeTimeoutMs: options.leaseMs,
      protocol: options.protocol,
      server: (id) => directory.get(id),
      isDraining: () => this.#state !== "working",
      settle: (item) => this.#settle(item),
      observe: (server, outcome) => observeServer(server, outcome, options),
      onStarted: (attempt) => events.started(attempt),
      onRunning: (attempt, runId) => {
        events.running(attempt, runId);
        this.poke();
      },
    };
  }

  start(): void {
    if (this.#state !== "idle") return;
    this.#state = "working";
    this.#loop = this.#run();
  }

  /** There may be something to do: new work, a server, a settlement. */
  poke(): void {
    this.#isWanted = true;
    this.#wake?.();
  }

  /** New work waits for these models; spares their servers the wait for their turn. */
  announced(models: Iterable<string>): void {
    if (this.#offers.announced(models, () => this.#options.directory.wants())) this.poke();
  }

  /** What this runner does on a server, whether or not it takes a slot. */
  loadOf(server: string): { readonly inFlight: number; readonly background: number } {
    let inFlight = 0;
    let background = 0;
    for (const { grant } of this.#attempts.values()) {
      if (grant.server !== server) continue;
      inFlight += 1;
      if (grant.task.background) background += 1;
    }
    const held = this.#holds.isHeld(server) ? 1 : 0;
    return { inFlight: inFlight + held, background: background + held };
  }

  /** Begins to watch whether the ledger has answered all that it was asked before now; then it says `true`. */
  barrier(): () => boolean {
    const open = this.#firstSentMs === undefined ? 0 : this.#sequence;
    return () => this.#acknowledged >= open || this.#state === "stopped";
  }

  /** Somebody wants this task cancelled; spares the holder the wait for its next renewal. */
  cancel(id: string): void {
    for (const attempt of this.#attempts.values()) if (attempt.id === id) attempt.requestCancel();
  }

  /**
   * Takes nothing new, lets what runs finish for `drainMs`, then hands back the rest. Resolves once the ledger knows,
   * or after one more lease when it does not answer: then the lease does it.
   */
  async stop(drainMs: number): Promise<void> {
    if (this.#state === "idle") this.#state = "stopped";
    if (this.#state !== "working") return await this.#loop;
    this.#state = "draining";
    const { clock, leaseMs } = this.#options;
    // A run in the background may take days; another process watches it from here on.
    for (const attempt of this.#attempts.values()) if (attempt.isWatching) attempt.stop("drain");
    const cancelDrain = clock.after(drainMs, () => {
      for (const attempt of this.#attempts.values()) attempt.stop("drain");
    });
    const cancelGiveUp = clock.after(drainMs + leaseMs, () => this.#finish());
    this.#onEmpty = () => this.#finish();
    this.poke();
    this.#checkEmpty();
    await this.#loop;
    cancelDrain();
    cancelGiveUp();
  }

  #checkEmpty(): void {
    if (this.#state === "draining" && this.#attempts.size === 0 && this.#outbox.size === 0) this.#onEmpty?.();
  }

  #finish(): void {
    this.#state = "stopped";
    this.#outbox.drop();
    for (const attempt of this.#attempts.values()) attempt.stop("lease");
    this.#wake?.();
  }

  async #run(): Promise<void> {
    let retryMs = RETRY_MS;
    while (this.#state === "working" || this.#state === "draining") {
      if (!this.#hasReason()) {
        this.#runGranted();
        await this.#rest();
        continue;
      }
      this.#isWanted = false;
      try {
        await this.#exchange();
        retryMs = RETRY_MS;
      } catch (error) {
        this.#options.events.failed("exchange", error);
        // A newer incarnation of this runner is at work, or the ledger is gone: everything held is lost.
        if (GatewayError.is(error, "CLOSED") || GatewayError.is(error, "STALE_RUNNER")) return this.#finish();
        this.#isWanted = true;
        await this.#pause(retryMs * (0.5 + this.#options.random()));
        retryMs = Math.min(LONGEST_RETRY_MS, retryMs * 2);
      }
    }
  }

  /** Whether an exchange has something to carry or to ask for now. */
  #hasReason(): boolean {
    // What was asked and not answered may have brought grants, whether or not there is anything left to ask for.
    if (this.#firstSentMs !== undefined) return true;
    if (this.#outbox.size > 0 || this.#holds.released.length > 0) return true;
    const nowMs = this.#options.clock.monotonic();
    if (this.#renewals(nowMs).isDue) return true;
    if (this.#state !== "working") return false;
    if (this.#resumesMs !== undefined && nowMs >= this.#resumesMs) {
      this.#isWanted = true;
      this.#resumesMs = undefined;
    }
    return (this.#isWanted || nowMs >= this.#nextLookMs) && this.#options.directory.wants().length > 0;
  }

  /** Sleeps until something is due, or until poked. */
  #rest(): Promise<void> {
    const { clock, directory, pollMs, leaseMs } = this.#options;
    const nowMs = clock.monotonic();
    // A poke that nobody could act on (no server has room) is spent; the next change pokes again.
    this.#isWanted = false;
    let dueMs = Math.max(this.#nextLookMs, nowMs + 1);
    if (directory.wants().length === 0) dueMs = nowMs + pollMs;
    this.#resumesMs = directory.resumesAtMs();
    dueMs = Math.min(dueMs, this.#resumesMs ?? dueMs);
    for (const attempt of this.#attempts.values()) {
      if (!attempt.isLost) dueMs = Math.min(dueMs, attempt.renewedAtMs + leaseMs / 3);
    }
    return this.#pause(Math.max(1, dueMs - nowMs));
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wake = undefined;
        cancel();
        resolve();
      };
      const cancel = this.#options.clock.after(delayMs, wake);
      this.#wake = wake;
    });
  }

  async #exchange(): Promise<void> {
    const { ledger, clock, checkpoint, leaseMs, pollMs } = this.#options;
    const sentMs = clock.monotonic();
    this.#firstSentMs ??= sentMs;
    const taken = this.#outbox.take();
    const { due: renewing } = this.#renewals(sentMs);
    const request = this.#request(taken.settle, renewing);
    const exchanging = inTime(clock, leaseMs / 3, ledger.exchange(request));
    this.#runGranted();
    const reply = await checkpoint("runner.exchange", exchanging);
    const grantsFromMs = this.#firstSentMs;
    const isFirstTry = grantsFromMs === sentMs;
    this.#acknowledged = this.#sequence;
    this.#sequence += 1;
    this.#firstSentMs = undefined;
    this.#holds.forget(request.release);
    this.#nextLookMs = clock.monotonic() + Math.min(pollMs, reply.nextDueInMs ?? pollMs);
    taken.answered(reply.settled, isFirstTry ? reply.nowMs : undefined);
    this.#noteRenewals(renewing, reply, sentMs);
    this.#holds.look(reply.orphanHolds, request.want);
    if (this.#offers.answered(reply.grants, clock.monotonic())) this.#isWanted = true;
    for (const grant of reply.grants) this.#begin(grant, grantsFromMs);
  }

  #request(settle: readonly Settlement[], renewing: readonly Attempt[]): ExchangeRequest {
    const { name, incarnation, leaseMs, directory, clock } = this.#options;
    const isWorking = this.#state === "working";
    let recoveries = 0;
    let inUse = 0;
    for (const { grant, holdsSlot, isSlotFreed } of this.#attempts.values()) {
      if (grant.kind === "recover") recoveries += 1;
      if (holdsSlot && !isSlotFreed) inUse += 1;
    }
    return {
      runner: name,
      incarnation,
      sequence: this.#sequence,
      acknowledged: this.#acknowledged,
      leaseMs,
      settle,
      renew: renewing.map((attempt): RenewRef => ({ ...attempt.ref(), sent: attempt.isSent })),
      want: isWorking ? this.#offers.take(directory.wants(), inUse, clock.monotonic()) : [],
      recover: isWorking ? MAX_RECOVERIES - recoveries : 0,
      release: [...this.#holds.released],
    };
  }

  /** Attempts to renew now. Once one is due, all past half of that age go along, so that renewals travel together. */
  #renewals(nowMs: number): { readonly isDue: boolean; readonly due: readonly Attempt[] } {
    const { leaseMs } = this.#options;
    let isDue = false;
    const due: Attempt[] = [];
    for (const attempt of this.#attempts.values()) {
      const ageMs = nowMs - attempt.renewedAtMs;
      if (attempt.isLost || ageMs < leaseMs / 6) continue;
      if (ageMs >= leaseMs / 3) isDue = true;
      due.push(attempt);
    }
    return { isDue, due };
  }

  #noteRenewals(renewed: readonly Attempt[], reply: ExchangeReply, sentMs: number): void {
    for (const [at, attempt] of renewed.entries()) {
      const outcome = reply.renewed[at]?.outcome ?? "unknown";
      if (outcome === "accepted" || outcome === "cancel_requested") {
        attempt.renewedAtMs = sentMs;
        attempt.leaseEndsMs = sentMs + this.#options.leaseMs;
        attempt.isAsGranted = false;
        if (outcome === "cancel_requested") attempt.requestCancel();
      } else if (this.#attempts.has(keyOf(attempt.ref()))) attempt.stop("lease");
    }
  }

  /** Stops what may not be held any longer by the time it could be told. */
  #stopOverdue(): void {
    const nowMs = this.#options.clock.monotonic();
    const marginMs = this.#options.leaseMs / 4;
    for (const attempt of this.#attempts.values()) {
      if (!attempt.isLost && attempt.leaseEndsMs - marginMs <= nowMs) attempt.stop("lease");
    }
  }

  /** Looks at the leases by itself, also while an exchange hangs. */
  #watchLeases(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    const { clock, leaseMs } = this.#options;
    clock.after(leaseMs / 10, () => {
      this.#isWatching = false;
      this.#stopOverdue();
      if (this.#attempts.size > 0) this.#watchLeases();
    });
  }

  #begin(grant: Grant, sentMs: number): void {
    const { leaseMs, directory, clock } = this.#options;
    const key = keyOf(grant.task);
    if (this.#attempts.has(key)) return;
    const attempt = new Attempt(grant, sentMs, leaseMs);
    const server = directory.get(grant.server);
    // A reply that was asked for again may bring grants whose lease is nearly over, or that come while draining.
    const isLate = this.#state !== "working" || attempt.leaseEndsMs - leaseMs / 4 <= clock.monotonic();
    if (isLate || (attempt.holdsSlot && isTakenByDirect(server))) {
      void this.#outbox.post(unbegun(attempt));
      return;
    }
    this.#attempts.set(key, attempt);
    this.#watchLeases();
    if (attempt.holdsSlot && server !== undefined) server.inFlight += 1;
    this.#toRun.push(attempt);
  }

  /** Begins what was granted, after the next exchange is on its way: the ledger then works while the calls begin. */
  #runGranted(): void {
    if (this.#toRun.length === 0) return;
    const { clock } = this.#options;
    const granted = this.#toRun;
    this.#toRun = [];
    const run = (): void => {
      for (const attempt of granted) {
        void runAttempt(attempt, this.#host).then(() => this.#end(keyOf(attempt.ref()), attempt));
      }
    };
    if (clock.soon === undefined) run();
    else clock.soon(run);
  }

  #end(key: string, attempt: Attempt): void {
    attempt.release();
    this.#freeSlot(attempt);
    this.#attempts.delete(key);
    this.#checkEmpty();
    this.poke();
  }

  #freeSlot(attempt: Attempt): void {
    if (!attempt.holdsSlot || attempt.isSlotFreed) return;
    attempt.isSlotFreed = true;
    const server = this.#options.directory.get(attempt.grant.server);
    if (server !== undefined && server.inFlight > 0) server.inFlight -= 1;
    this.#options.events.slotFreed?.(attempt.grant.server);
  }

  async #settle(item: Settlement): Promise<ExchangeOutcome> {
    const attempt = this.#attempts.get(keyOf(item));
    // An ending frees its slot in the very exchange that carries it, so that the next grant fills it.
    if (attempt !== undefined && item.kind !== "sent") this.#freeSlot(attempt);
    if (attempt !== undefined && (item.kind === "sent" || item.kind === "running"))
      attempt.isAsGranted = false;
    const posted = this.#outbox.post(item);
    this.poke();
    const { outcome, nowMs } = await posted;
    if (outcome.outcome === "cancel_requested") attempt?.requestCancel();
    if (
      attempt !== undefined &&
      outcome.outcome === "accepted" &&
      item.kind !== "sent" &&
      item.kind !== "running"
    ) {
      const isKnown = attempt.isAsGranted && !attempt.isCancelRequested;
      this.#options.events.settled(attempt, item, isKnown ? nowMs : undefined);
    }
    return outcome;
  }
}

/** Whether a direct request took the slot while this one was being granted. */
function isTakenByDirect(server: KnownServer | undefined): boolean {
  return server !== undefined && server.direct > 0 && server.inFlight >= server.slots.value;
}
