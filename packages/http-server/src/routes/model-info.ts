import type { Gateway, ServerAnswer } from "@modelgate/core";
import type { HttpContext } from "../context.ts";
import { discard, readText } from "../read-stream.ts";

/** What a server says of itself is a few kilobytes; whoever sends more is left out. */
const MAX_INFO_BYTES = 1024 * 1024;
/** What is larger is asked for each time, so that what is kept has a bound. */
const MAX_KEPT_CHARACTERS = 64 * 1024;
const MAX_KEPT = 500;
const KEPT_MS = 5_000;
/** Servers that are asked at once. */
const MAX_ASKED = 32;

/** What a server says of itself: its own text, because parsing and printing it again would change long numbers. */
export interface Info {
  readonly text: string;
  readonly value: unknown;
}

interface Kept {
  readonly askedAtMs: number;
  readonly info: Promise<Info | undefined>;
}

/** Asks servers what they are, a few at a time, and none again within some seconds. */
export class InfoReader {
  readonly #gateway: Gateway;
  readonly #timeoutMs: number;
  readonly #kept = new Map<string, Kept>();
  readonly #waiting: (() => void)[] = [];
  #asked = 0;

  constructor({ gateway, options }: HttpContext) {
    this.#gateway = gateway;
    this.#timeoutMs = options.infoTimeoutMs;
  }

  /** What comes in time and is JSON, else nothing: one broken server never breaks a list. */
  read(model: string): Promise<Info | undefined> {
    const nowMs = performance.now();
    const known = this.#kept.get(model);
    if (known !== undefined && nowMs - known.askedAtMs < KEPT_MS) return known.info;
    const info = this.#ask(model);
    this.#keep(model, { askedAtMs: nowMs, info });
    return info;
  }

  #keep(model: string, kept: Kept): void {
    this.#kept.delete(model);
    this.#kept.set(model, kept);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MAX_KEPT) break;
      this.#kept.delete(oldest);
    }
    void kept.info.then((info) => {
      const isTooLarge = (info?.text.length ?? 0) > MAX_KEPT_CHARACTERS;
      if (isTooLarge && this.#kept.get(model) === kept) this.#kept.delete(model);
    });
  }

  async #ask(model: string): Promise<Info | undefined> {
    if (this.#asked >= MAX_ASKED) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#asked += 1;
    const signal = AbortSignal.timeout(this.#timeoutMs);
    try {
      return await beforeAbort(this.#gateway.info(model, { signal }).then(parseInfo), signal);
    } catch {
      return undefined;
    } finally {
      this.#asked -= 1;
      this.#waiting.shift()?.();
    }
  }
}

async function parseInfo({ status = 200, body }: ServerAnswer): Promise<Info | undefined> {
  if (status >= 300) {
    await discard(body);
    return undefined;
  }
  const text = await readText(body, MAX_INFO_BYTES);
  return text === undefined ? undefined : { text, value: JSON.parse(text) };
}

function beforeAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}
