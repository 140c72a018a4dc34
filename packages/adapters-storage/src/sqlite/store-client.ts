import { randomUUID } from "node:crypto";
import { Worker } from "node:worker_threads";
import { GatewayError } from "@modelgate/core";
import { BodyPack } from "./body-pack.ts";
import type { DriverName } from "./driver.ts";
import { freeExit, holdExit, newGate } from "./native-gate.ts";
import { fromWireError, type Operation, type WireCall, type WireMessage, type WireReply } from "./wire.ts";
import { workerFile } from "./worker-file.ts";

export interface StoreClientOptions {
  readonly directory: string;
  readonly busyTimeoutMs: number;
  readonly driver: DriverName | undefined;
}

/** What an operation resolves with, and the buffer that its slices point into. */
export interface Answer<T> {
  readonly value: T;
  readonly bytes: ArrayBuffer | undefined;
}

interface Pending {
  readonly n: number;
  /** Made when the message is, so that bytes are copied once. Whatever it throws is the answer. */
  readonly encode: (bodies: BodyPack) => Operation;
  readonly resolve: (answer: Answer<unknown>) => void;
  readonly reject: (error: unknown) => void;
}

/** While one batch commits the next one is on its way and a third collects. */
const MOST_IN_FLIGHT = 2;
/** A message holds so many calls at most, so that no transaction holds up the others for long. */
const MOST_CALLS = 2000;
const MOST_BYTES = 16 * 1024 * 1024;
/** How long `close` waits for a thread that has nothing left to do, before it leaves it alone. */
const MOST_EXIT_MS = 2000;

/** Collects the calls of a tick into one message to the worker, and hands its answers back. */
export class StoreClient {
  readonly #options: StoreClientOptions;
  readonly #processId = randomUUID();
  readonly #waiting = new Map<number, Pending>();
  #queue: Pending[] = [];
  #worker: Worker | undefined;
  /** The thread that was started last, and when it has ended. */
  #last: { readonly worker: Worker; readonly exited: Promise<unknown> } | undefined;
  #lastCall = 0;
  #posted = 0;
  #answered = 0;
  #isFlushing = false;
  #closing: Promise<void> | undefined;
  #generation = 0;

  constructor(options: StoreClientOptions) {
    this.#options = options;
  }

  /** Changes whenever a new worker begins, which knows nothing of what the last one was told. */
  get generation(): number {
    return this.#generation;
  }

  /** The thread at work, for tests. */
  get worker(): Worker | undefined {
    return this.#worker;
  }

  async call<T>(encode: Pending["encode"], signal?: AbortSignal): Promise<Answer<T>> {
    if (this.#closing !== undefined) throw new GatewayError("CLOSED", "the SQLite store is closed");
    return await this.#enqueue<T>(encode, signal);
  }

  /** Runs what was called before, then closes the database. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#worker !== undefined || this.#queue.length > 0) {
      await this.#enqueue(() => ({ op: "close" })).catch(() => {});
    }
    if (this.#last !== undefined) await exitOf(this.#last);
    this.#worker = undefined;
  }

  /** Resolves when everything that was called so far has been answered. */
  async idle(): Promise<void> {
    if (this.#waiting.size > 0) await this.#enqueue(() => ({ op: "open" })).catch(() => {});
  }

  #enqueue<T>(encode: Pending["encode"], signal?: AbortSignal): Promise<Answer<T>> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      this.#lastCall += 1;
      const n = this.#lastCall;
      let pending: Pending = { n, encode, resolve: resolve as Pending["resolve"], reject };
      if (signal !== undefined) {
        const onAbort = (): void => {
          this.#waiting.delete(n);
          this.#queue = this.#queue.filter((item) => item.n !== n);
          this.#keepAlive();
          reject(signal.reason);
        };
        signal.addEventListener("abort", onAbort, { once: true });
        const done = (): void => signal.removeEventListener("abort", onAbort);
        pending = {
          n,
          encode,
          resolve: (answer) => {
            done();
            resolve(answer as Answer<T>);
          },
          reject: (error) => {
            done();
            reject(error);
          },
        };
      }
      this.#waiting.set(n, pending);
      this.#queue.push(pending);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isFlushing || this.#posted - this.#answered >= MOST_IN_FLIGHT) return;
    this.#isFlushing = true;
    // After all continuations of this turn have made their calls, whichever way their promises were chained.
    setImmediate(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#queue.length === 0) return;
    // Before anything is encoded: what a call leaves out depends on what this very worker has been told.
    this.#worker ??= this.#start();
    const bodies = new BodyPack();
    const calls: string[] = [];
    let taken = 0;
    for (const pending of this.#queue) {
      if (taken >= MOST_CALLS || bodies.length > MOST_BYTES) break;
      taken += 1;
      const call = this.#encode(pending, bodies);
      if (call !== undefined) calls.push(call);
    }
    this.#queue = taken === this.#queue.length ? [] : this.#queue.slice(taken);
    if (calls.length > 0) {
      this.#posted += 1;
      const bytes = bodies.pack();
      const message: WireMessage = { batch: this.#posted, json: `[${calls.join()}]`, bytes };
      this.#worker.postMessage(message, bytes === undefined ? [] : [bytes]);
    }
    this.#keepAlive();
    if (this.#queue.length > 0) this.#schedule();
  }

  /** A call as text, or `undefined` after it was rejected: no call takes others of its message with it. */
  #encode({ n, encode, reject }: Pending, bodies: BodyPack): string | undefined {
    try {
      const call: WireCall = { n, ...encode(bodies) };
      return JSON.stringify(call);
    } catch (error) {
      // Lists that this call would have told of must be told again.
      this.#generation += 1;
      this.#waiting.delete(n);
      reject(error);
      return undefined;
    }
  }

  #start(): Worker {
    this.#generation += 1;
    const gate = newGate();
    const worker = new Worker(workerFile(), {
      workerData: { ...this.#options, processId: this.#processId, gate },
      name: "modelgate-sqlite",
      execArgv: [],
    });
    holdExit(gate);
    worker.on("message", (message: WireMessage) => this.#receive(message));
    worker.on("error", (error) => this.#lost(worker, error));
    const exited = new Promise<void>((resolve) => {
      worker.on("exit", () => {
        freeExit(gate);
        this.#lost(worker, undefined);
        resolve();
      });
    });
    this.#last = { worker, exited };
    return worker;
  }

  #receive({ batch, json, bytes }: WireMessage): void {
    this.#answered = Math.max(this.#answered, batch);
    for (const [n, outcome, value] of JSON.parse(json) as WireReply[]) {
      const pending = this.#waiting.get(n);
      if (pending === undefined) continue;
      this.#waiting.delete(n);
      if (outcome === "ok") pending.resolve({ value, bytes });
      else pending.reject(fromWireError(value));
    }
    this.#keepAlive();
    if (this.#queue.length > 0) this.#schedule();
  }

  /** The next call starts a new worker; what the last one had taken may or may not have been committed. */
  #lost(worker: Worker, cause: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#answered = this.#posted;
    const queued = new Set(this.#queue.map(({ n }) => n));
    for (const [n, pending] of [...this.#waiting]) {
      if (queued.has(n)) continue;
      this.#waiting.delete(n);
      pending.reject(
        new GatewayError("STORE_UNAVAILABLE", "the store's worker ended before it answered; call again", {
          cause,
        }),
      );
    }
    if (this.#queue.length > 0) this.#schedule();
  }

  /** An idle store keeps no process alive; one with a call under way does. */
  #keepAlive(): void {
    if (this.#waiting.size > 0) this.#worker?.ref();
    else this.#worker?.unref();
  }
}

/**
 * The thread ends by itself once its port is closed; it is never terminated, since that aborts the whole process when
 * it hits a call of the native driver. The database is closed by then, so that nothing is lost when something keeps it.
 */
async function exitOf({ worker, exited }: { worker: Worker; exited: Promise<unknown> }): Promise<void> {
  worker.ref();
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, MOST_EXIT_MS).unref();
  });
  await Promise.race([exited, patience]);
  clearTimeout(timer);
  worker.unref();
}

/** Beside this module when built. Node 20 loads no TypeScript in workers; `test/build-worker.ts` makes one for sources. */
