import type { ByteStream } from "../src/contracts/common.ts";
import type { ObjectStore } from "../src/contracts/object-store.ts";
import { GatewayError } from "../src/errors.ts";
import { readAll } from "./digest.ts";
import type { Network } from "./network.ts";
import type { Recorder } from "./recorder.ts";
import type { SimProcess } from "./sim-process.ts";

/** The objects that all processes share. */
export class SharedObjects {
  readonly #objects = new Map<string, Uint8Array>();
  readonly #recorder: Recorder;

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
  }

  put(key: string, bytes: Uint8Array): void {
    this.#objects.set(key, bytes);
    this.#recorder.add({ kind: "object", change: "put", key });
  }

  get(key: string): Uint8Array | undefined {
    return this.#objects.get(key);
  }

  delete(key: string): void {
    if (this.#objects.delete(key)) this.#recorder.add({ kind: "object", change: "deleted", key });
  }

  keys(prefix: string): string[] {
    return [...this.#objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  }
}

async function* chunksOf(bytes: Uint8Array): ByteStream {
  const half = bytes.byteLength >> 1;
  if (half > 0) yield bytes.subarray(0, half);
  yield bytes.subarray(half);
}

/** The shared objects as one process sees them, over its network. */
export function simObjectStore(shared: SharedObjects, network: Network, process: SimProcess): ObjectStore {
  const stat = (key: string, bytes: Uint8Array) => ({ key, sizeBytes: bytes.byteLength, modifiedAtMs: 0 });
  return {
    capabilities: { durable: true, shared: true, presign: false },
    async put(key, body, { signal } = {}) {
      signal?.throwIfAborted();
      const bytes = await readAll(body);
      signal?.throwIfAborted();
      return await network.call(
        process,
        "objects.put",
        async () => {
          shared.put(key, bytes);
          return stat(key, bytes);
        },
        signal,
      );
    },
    async get(key, { signal } = {}) {
      const bytes = await network.call(process, "objects.get", async () => shared.get(key), signal);
      return bytes === undefined ? undefined : { ...stat(key, bytes), body: chunksOf(bytes) };
    },
    stat: (key, { signal } = {}) =>
      network.call(
        process,
        "objects.stat",
        async () => {
          const bytes = shared.get(key);
          return bytes === undefined ? undefined : stat(key, bytes);
        },
        signal,
      ),
    delete: (keys, { signal } = {}) =>
      network.call(
        process,
        "objects.delete",
        async () => {
          for (const key of keys) shared.delete(key);
        },
        signal,
      ),
    list: (prefix, _cursor, { signal } = {}) =>
      network.call(
        process,
        "objects.list",
        async () => ({ items: shared.keys(prefix).map((key) => stat(key, shared.get(key) as Uint8Array)) }),
        signal,
      ),
    async presign() {
      throw new GatewayError("UNSUPPORTED", "the simulated objects have no addresses");
    },
    close: async () => {},
  };
}
