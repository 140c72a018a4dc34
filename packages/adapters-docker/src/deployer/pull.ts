import type { PrepareProgress } from "@modelgate/core";
import type { EngineConnection } from "../connection/connection.ts";
import { EngineError, unavailable } from "../connection/engine-error.ts";
import { jsonLines } from "../connection/json-lines.ts";
import { errorOf, pullFailure } from "./failure.ts";
import { parseImageName } from "./image-name.ts";
import type { DeployerSettings } from "./options.ts";
import { PullProgress } from "./pull-progress.ts";
import { credentialsFor } from "./registry-credentials.ts";

type Listener = (progress: PrepareProgress) => void;

/** Progress comes many times a second for each layer. */
const TELL_EVERY_MS = 100;

/**
 * One pull, for all who wait for it at the same time. It ends when the last of them has given up: an engine stops
 * pulling when nobody reads what it says.
 */
export class Pull {
  readonly #listeners = new Map<object, Listener | undefined>();
  readonly #controller = new AbortController();
  readonly #onOver: () => void;
  readonly #done: Promise<void>;
  #last: PrepareProgress = { phase: "waiting" };

  constructor(connection: EngineConnection, settings: DeployerSettings, image: string, onOver: () => void) {
    this.#onOver = onOver;
    this.#done = this.#pull(connection, settings, image).finally(onOver);
    // Whoever waits hears of it.
    this.#done.catch(() => {});
  }

  /** Rejects with the signal's reason, or as the pull ends. Nothing is told after it has settled. */
  async wait(listener: Listener | undefined, signal: AbortSignal | undefined): Promise<void> {
    const key = {};
    let onAbort = (): void => {};
    this.#listeners.set(key, listener);
    listener?.(this.#last);
    try {
      await new Promise<void>((resolve, reject) => {
        onAbort = () => reject(signal?.reason);
        signal?.addEventListener("abort", onAbort, { once: true });
        if (signal?.aborted) onAbort();
        this.#done.then(resolve, reject);
      });
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#listeners.delete(key);
      if (this.#listeners.size === 0) {
        this.#onOver();
        this.#controller.abort(new Error("nobody waits for it any more"));
      }
    }
  }

  async #pull(connection: EngineConnection, settings: DeployerSettings, image: string): Promise<void> {
    const { registry, repository, reference } = parseImageName(image);
    const { pullIdleTimeoutMs, platform, credentials } = settings;
    const auth = await credentialsFor(registry, credentials);
    try {
      const stream = await connection.stream({
        method: "POST",
        path: "/images/create",
        query: { fromImage: repository, tag: reference, platform },
        headers: auth === undefined ? {} : { "X-Registry-Auth": headerOf(auth) },
        // The engine answers when it has spoken to the registry.
        timeoutMs: pullIdleTimeoutMs,
        signal: this.#controller.signal,
      });
      const problem = await this.#read(stream, pullIdleTimeoutMs);
      if (problem !== undefined) throw errorOf(pullFailure(undefined, problem, auth !== undefined));
    } catch (error) {
      if (!EngineError.is(error)) throw error;
      throw errorOf(pullFailure(error.status, error.reason, auth !== undefined), error);
    }
  }

  /** All of it, to its end; resolves the engine's words on why it failed, which come inside of it. */
  async #read(
    stream: { readonly body: AsyncIterable<Uint8Array>; close(): void },
    idleTimeoutMs: number,
  ): Promise<string | undefined> {
    const progress = new PullProgress();
    let problem: string | undefined;
    let isIdle = false;
    const idle = setTimeout(() => {
      isIdle = true;
      stream.close();
    }, idleTimeoutMs);
    idle.unref();
    let toldAt = 0;
    try {
      for await (const message of jsonLines(stream.body)) {
        idle.refresh();
        problem ??= problemIn(message);
        progress.add(message);
        const now = performance.now();
        if (now - toldAt < TELL_EVERY_MS && progress.phase === this.#last.phase) continue;
        toldAt = now;
        this.#tell(progress.now());
      }
    } finally {
      clearTimeout(idle);
    }
    if (isIdle) throw unavailable(`the pull made no progress for ${idleTimeoutMs} ms`, "timeout");
    return problem;
  }

  #tell(progress: PrepareProgress): void {
    this.#last = progress;
    for (const listener of this.#listeners.values()) listener?.(progress);
  }
}

/** With its padding: without it an engine decodes nothing and pulls without credentials, in silence. */
export function headerOf(auth: object): string {
  return Buffer.from(JSON.stringify(auth)).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

/** `error` is the older form, and deprecated since API 1.48. */
function problemIn(message: unknown): string | undefined {
  if (typeof message !== "object" || message === null) return undefined;
  const { errorDetail, error } = message as { errorDetail?: { message?: unknown }; error?: unknown };
  if (errorDetail === undefined && error === undefined) return undefined;
  return String(errorDetail?.message ?? error ?? "");
}
