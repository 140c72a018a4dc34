import type { PrepareProgress } from "@modelgate/core";

interface Layer {
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly isLoaded: boolean;
}

const LOADED = /^(?:download complete|verifying checksum|extracting|pull complete|already exists)/i;

/** Adds up what an engine says of each layer of an image. */
export class PullProgress {
  readonly #layers = new Map<string, Layer>();

  get phase(): PrepareProgress["phase"] {
    const layers = [...this.#layers.values()];
    return layers.length > 0 && layers.every(({ isLoaded }) => isLoaded) ? "unpacking" : "pulling";
  }

  add(message: unknown): void {
    if (typeof message !== "object" || message === null) return;
    const { id, status, progressDetail } = message as Readonly<Record<string, unknown>>;
    // The one that names the image has its tag for an id.
    if (typeof id !== "string" || typeof status !== "string" || /^pulling from/i.test(status)) return;
    const { current, total } = (progressDetail ?? {}) as { current?: unknown; total?: unknown };
    const known = this.#layers.get(id) ?? { doneBytes: 0, totalBytes: 0, isLoaded: false };
    const isLoaded = known.isLoaded || LOADED.test(status);
    const isLoading = /^downloading/i.test(status);
    const totalBytes = isLoading && typeof total === "number" && total > 0 ? total : known.totalBytes;
    const loaded = isLoading && typeof current === "number" ? current : known.doneBytes;
    this.#layers.set(id, {
      doneBytes: isLoaded ? totalBytes : Math.min(loaded, totalBytes),
      totalBytes,
      isLoaded,
    });
  }

  now(): PrepareProgress {
    let [doneBytes, totalBytes] = [0, 0];
    for (const layer of this.#layers.values()) {
      doneBytes += layer.doneBytes;
      totalBytes += layer.totalBytes;
    }
    return { phase: this.phase, ...(totalBytes > 0 && { doneBytes, totalBytes }) };
  }
}
