import type { Clock } from "../contracts/clock.ts";
import { GatewayError } from "../errors.ts";
import type { MemoryEngineCall, MemoryEngineMethod } from "./deployer-types.ts";

const RETRY_AFTER_MS = 1000;

/** The way to an engine: every call goes through it, and can be held up, refused or lose its reply. */
export class EngineGate {
  readonly calls: MemoryEngineCall[] = [];
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #state: "open" | "closed" | "hangs" = "open";
  readonly #lost = new Set<MemoryEngineMethod>();
  /** Those who wait for the engine, and what they are told: nothing, or why it is over. */
  readonly #held = new Set<(error?: GatewayError) => void>();
  readonly #busy = new Set<(error?: GatewayError) => void>();

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Does `work` on the engine, and writes down how that went. */
  async call<T>(
    method: MemoryEngineMethod,
    subject: string,
    delayMs: number,
    work: () => T | Promise<T>,
  ): Promise<T> {
    const at = this.calls.length;
    const call = { method, subject, atMs: this.#clock.monotonic() };
    this.calls.push(call);
    const isReplyLost = this.#lost.delete(method);
    const end = (outcome: MemoryEngineCall["outcome"]): void => {
      this.calls[at] = { ...call, endedAtMs: this.#clock.monotonic(), outcome };
    };
    try {
      await this.pass();
      await this.wait(delayMs);
      const result = await work();
      if (isReplyLost) throw unavailable("its reply was lost");
      end("done");
      return result;
    } catch (error) {
      end(GatewayError.is(error) ? error.code : "ADAPTER_FAILED");
      throw error;
    }
  }

  /** Throws when the engine does not run. */
  requireOpen(): void {
    if (this.#state === "closed") throw unavailable("it does not run");
  }

  /** Resolves when the engine answers. */
  async pass(): Promise<void> {
    this.requireOpen();
    if (this.#state === "hangs") await this.#pending(this.#held, this.#timeoutMs, tooLate);
  }

  /** Time that the engine takes. A stop of the engine breaks it off. */
  async wait(delayMs: number): Promise<void> {
    if (delayMs <= 0) return;
    await this.#pending(this.#busy, delayMs, () => undefined);
    await this.pass();
  }

  /** Lets the next call of this method take effect, and its caller hear nothing of it. */
  loseReply(method: MemoryEngineMethod): void {
    this.#lost.add(method);
  }

  close(hangs: boolean): void {
    this.#state = hangs ? "hangs" : "closed";
    if (!hangs) for (const tell of [...this.#busy, ...this.#held]) tell(unavailable("it was stopped"));
  }

  open(): void {
    this.#state = "open";
    for (const tell of [...this.#held]) tell();
  }

  #pending(
    where: Set<(error?: GatewayError) => void>,
    delayMs: number,
    atEnd: () => GatewayError | undefined,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      // Somebody waits for it, as for the answer of a socket.
      const release = this.#clock.hold?.();
      const tell = (error?: GatewayError): void => {
        cancel();
        release?.();
        where.delete(tell);
        if (error === undefined) resolve();
        else reject(error);
      };
      const cancel =
        delayMs === Number.POSITIVE_INFINITY ? () => {} : this.#clock.after(delayMs, () => tell(atEnd()));
      where.add(tell);
    });
  }
}

function tooLate(): GatewayError {
  return unavailable("it did not answer in time");
}

function unavailable(why: string): GatewayError {
  return new GatewayError("DEPLOYER_UNAVAILABLE", `the memory engine cannot be reached: ${why}`, {
    details: { retryAfterMs: RETRY_AFTER_MS },
  });
}
