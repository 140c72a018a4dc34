import { createHash } from "node:crypto";
import type { PrepareProgress, ServerSpec } from "../contracts/deployer.ts";
import { GatewayError } from "../errors.ts";
import type { EngineGate } from "./deployer-gate.ts";
import type { MemoryImage } from "./deployer-types.ts";

type Listener = (progress: PrepareProgress) => void;

interface Pull {
  readonly listeners: Set<Listener>;
  readonly done: Promise<void>;
}

const DEFAULT_SIZE_BYTES = 1000;

/** The images of an engine and of its registry. */
export class EngineImages {
  readonly #gate: EngineGate;
  readonly #onPulled: (image: string) => void;
  /** Undefined when every image is here. */
  readonly #known: Map<string, MemoryImage> | undefined;
  readonly #digests = new Map<string, string>();
  readonly #pulled = new Map<string, number>();
  readonly #underWay = new Map<string, Pull>();

  constructor(
    gate: EngineGate,
    images: Readonly<Record<string, MemoryImage>> | undefined,
    onPulled: (image: string) => void,
  ) {
    this.#gate = gate;
    this.#known = images && new Map(Object.entries(images));
    this.#onPulled = onPulled;
  }

  set(name: string, image: MemoryImage): void {
    this.#known?.set(name, image);
    this.#pulled.delete(name);
  }

  pulls(name: string): number {
    return this.#pulled.get(name) ?? 0;
  }

  digestOf(name: string): string {
    const known = this.#known?.get(name)?.digest ?? this.#digests.get(name);
    if (known !== undefined) return known;
    const made = `sha256:${createHash("sha256").update(name).digest("hex")}`;
    this.#digests.set(name, made);
    return made;
  }

  require(name: string): void {
    if (!this.#isHere(name)) throw missing(name, "prepare it first");
  }

  /** Makes the image be there; those who ask at once share one pull. */
  async prepare({ image: name, pull = "missing" }: ServerSpec, listener: Listener): Promise<void> {
    if (pull === "never") this.require(name);
    if (pull === "always" || !this.#isHere(name)) await this.#join(name, listener);
    listener({ phase: "ready" });
  }

  async #join(name: string, listener: Listener): Promise<void> {
    let pull = this.#underWay.get(name);
    if (pull === undefined) {
      const listeners = new Set([listener]);
      pull = { listeners, done: this.#pull(name, listeners).finally(() => this.#underWay.delete(name)) };
      this.#underWay.set(name, pull);
    }
    pull.listeners.add(listener);
    await pull.done;
  }

  async #pull(name: string, listeners: ReadonlySet<Listener>): Promise<void> {
    const tell = (progress: PrepareProgress): void => {
      for (const listener of listeners) listener(progress);
    };
    const image = this.#known === undefined ? {} : this.#known.get(name);
    if (image === undefined) throw missing(name, "name one that its registry holds");
    if (image.isRefused === true) {
      throw new GatewayError(
        "REGISTRY_REFUSED",
        `the registry refuses image "${name}"; check the credentials`,
      );
    }
    const { pullMs = 0, sizeBytes: totalBytes = DEFAULT_SIZE_BYTES } = image;
    tell({ phase: "waiting" });
    for (const part of [0, 0.5]) {
      tell({ phase: "pulling", doneBytes: Math.floor(totalBytes * part), totalBytes });
      await this.#gate.wait(pullMs / 2);
    }
    tell({ phase: "unpacking", doneBytes: totalBytes, totalBytes });
    this.#pulled.set(name, this.pulls(name) + 1);
    this.#onPulled(name);
  }

  #isHere(name: string): boolean {
    if (this.#known === undefined || this.pulls(name) > 0) return true;
    const image = this.#known.get(name);
    return image !== undefined && image.isHere !== false;
  }
}

function missing(name: string, fix: string): GatewayError {
  return new GatewayError("IMAGE_MISSING", `image is "${name}", which is not there; ${fix}`, {
    details: { field: "image" },
  });
}
