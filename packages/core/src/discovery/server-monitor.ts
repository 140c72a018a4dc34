import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { ModelServer } from "../contracts/discovery.ts";
import type { ProbeReport } from "../contracts/server-protocol.ts";
import { afterProbe, NEVER_PROBED, type ProbePace, type ProbeState, probeDelayMs } from "./probe-state.ts";
import type { ServerEntry } from "./server-entry.ts";

/** Finds out whether a server is ready for work. */
export type ServerProbe = (server: ModelServer, options?: OperationOptions) => Promise<ProbeReport>;

export interface MonitorContext {
  readonly clock: Clock;
  readonly pace: ProbePace;
  readonly probeTimeoutMs: number;
  readonly probe: ServerProbe;
  /** Runs `work` when it is its turn; ready servers come first. */
  readonly inTurn: (work: () => Promise<void>, isReady: boolean) => Promise<void>;
  readonly onChange: (server: ModelServer) => void;
}

/** Probes one server again and again, and says when what is known of it changes. */
export class ServerMonitor {
  readonly #context: MonitorContext;
  #entry: ServerEntry;
  #known: ProbeState = NEVER_PROBED;
  #instance: string | undefined;
  #reason: string | undefined;
  #server: ModelServer;
  #cancelTimer: () => void = () => {};
  /** The probe that waits for its turn or runs. */
  #current: Promise<void> | undefined;
  #hasBegun = false;
  /** The one after it, when somebody asked while it ran. */
  #next: Promise<void> | undefined;
  readonly #stopped = new AbortController();

  constructor(entry: ServerEntry, context: MonitorContext) {
    this.#entry = entry;
    this.#context = context;
    this.#reason = entry.suspended;
    this.#server = this.#describe();
  }

  get server(): ModelServer {
    return this.#server;
  }

  get isSuspended(): boolean {
    return this.#entry.suspended !== undefined;
  }

  /** Whether `entry` is the same process, perhaps described anew. */
  isAt(entry: ServerEntry): boolean {
    const { url, protocol, instance } = this.#entry;
    return entry.url === url && entry.protocol === protocol && entry.instance === instance;
  }

  /** Takes a new description of the same process; what is known of its state stays. */
  update(entry: ServerEntry): void {
    this.#entry = entry;
    if (this.isSuspended) this.#suspend();
    this.#tellChange();
  }

  /** Probes now; resolves when a probe that began after this call has been judged. */
  probe(): Promise<void> {
    if (this.#isStill()) return Promise.resolve();
    if (this.#current === undefined) return this.#begin();
    if (!this.#hasBegun) return this.#current;
    this.#next ??= this.#current.then(() => {
      this.#next = undefined;
      return this.probe();
    });
    return this.#next;
  }

  /** Ends all probing. */
  stop(): void {
    this.#stopped.abort();
    this.#cancelTimer();
  }

  #begin(): Promise<void> {
    this.#cancelTimer();
    this.#hasBegun = false;
    const turn = this.#context.inTurn(async () => {
      if (this.#isStill()) return;
      this.#hasBegun = true;
      this.#judge(await this.#probeInTime());
    }, this.#known.state === "ready");
    this.#current = turn.then(() => {
      this.#current = undefined;
      if (this.#isStill() || this.#next !== undefined) return;
      const delayMs = probeDelayMs(this.#known, this.#context.pace);
      this.#cancelTimer = this.#context.clock.after(delayMs, () => void this.probe());
    });
    return this.#current;
  }

  #isStill(): boolean {
    return this.#stopped.signal.aborted || this.isSuspended;
  }

  /** One that was ready has to show it again afterwards. */
  #suspend(): void {
    this.#cancelTimer();
    if (this.#known.state === "ready") this.#known = { state: "unhealthy", failures: 0 };
    this.#reason = this.#entry.suspended;
  }

  #judge(report: ProbeReport): void {
    if (this.#isStill()) return;
    this.#known = afterProbe(this.#known, report.ready);
    if (report.ready) this.#instance = report.instance;
    this.#reason = this.#known.state === "ready" ? undefined : report.reason;
    this.#tellChange();
  }

  // Resolves at the time limit even when the probe does not listen to its signal: it holds a turn.
  async #probeInTime(): Promise<ProbeReport> {
    const { clock, probeTimeoutMs } = this.#context;
    const controller = new AbortController();
    let cancelTimer = (): void => {};
    let onStop = (): void => {};
    const limit = new Promise<ProbeReport>((resolve) => {
      cancelTimer = clock.after(probeTimeoutMs, () => {
        resolve({ ready: false, reason: `no answer within ${probeTimeoutMs} ms` });
      });
      onStop = () => resolve({ ready: false });
      this.#stopped.signal.addEventListener("abort", onStop, { once: true });
    });
    try {
      return await Promise.race([this.#ask(controller.signal), limit]);
    } finally {
      cancelTimer();
      this.#stopped.signal.removeEventListener("abort", onStop);
      controller.abort();
    }
  }

  async #ask(signal: AbortSignal): Promise<ProbeReport> {
    try {
      return await this.#context.probe(this.#server, { signal });
    } catch {
      // What a probe throws may quote the address; the address may hold credentials.
      return { ready: false, reason: "the probe failed" };
    }
  }

  #tellChange(): void {
    const before = this.#server;
    const after = this.#describe();
    if (isSame(before, after)) return;
    this.#server = after;
    this.#context.onChange(after);
  }

  #describe(): ModelServer {
    const { id, url, models, protocol, limit, weight, room } = this.#entry;
    const instance = this.#entry.instance ?? this.#instance;
    const reason = this.#reason === undefined ? {} : { reason: this.#reason };
    const details = { ...this.#entry.details, ...reason };
    return {
      id,
      url,
      models,
      protocol,
      state: this.#known.state,
      ...(instance === undefined ? {} : { instance }),
      ...(limit === undefined ? {} : { limit }),
      ...(weight === undefined ? {} : { weight }),
      ...(room === undefined ? {} : { room }),
      ...(Object.keys(details).length === 0 ? {} : { details }),
    };
  }
}

function isSame(one: ModelServer, other: ModelServer): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
