import { createHash, type Hash } from "node:crypto";
import type { ByteStream } from "../contracts/common.ts";
import { GatewayError } from "../errors.ts";
import type { SubmitRequest } from "../gateway-api.ts";

const KEY = /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/;
const ASK_AGAIN_MS = 1_000;

/** What a request asks for, in one short text: the same request again gives the same, whatever pieces its body comes in. */
export class RequestDigest {
  readonly #hash: Hash;

  constructor({ model, operation, query = "" }: SubmitRequest) {
    // The lengths keep one part from running into the next.
    this.#hash = createHash("sha256").update(JSON.stringify([model, operation, query]));
  }

  add(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  async *through(body: ByteStream): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      this.#hash.update(chunk);
      yield chunk;
    }
  }

  toString(): string {
    return this.#hash.digest("base64url");
  }
}

/** The requests with a key whose bodies are being received by this gateway now. */
export class OpenKeys {
  readonly #names = new Set<string>();

  /** Throws when the first request with this key is not received yet. The function returned says that it is. */
  open({ owner = "", model, operation, idempotencyKey }: SubmitRequest): () => void {
    const name = JSON.stringify([owner, model, operation, idempotencyKey]);
    if (this.#names.has(name)) {
      throw new GatewayError(
        "IDEMPOTENCY_IN_PROGRESS",
        "the first request with this idempotency key is still being received",
        { details: { field: "idempotencyKey", retryAfterMs: ASK_AGAIN_MS } },
      );
    }
    this.#names.add(name);
    return () => this.#names.delete(name);
  }
}

/** Throws `INVALID_REQUEST` for a key that is none. */
export function requireKey(key: unknown): void {
  if (typeof key === "string" && KEY.test(key)) return;
  throw new GatewayError(
    "INVALID_REQUEST",
    "idempotencyKey must be 1 to 255 visible ASCII characters, with spaces only between them",
    { details: { field: "idempotencyKey" } },
  );
}
