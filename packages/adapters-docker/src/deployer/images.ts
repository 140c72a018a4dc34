import { GatewayError, type OperationOptions, type PrepareOptions, type ServerSpec } from "@modelgate/core";
import type { EngineConnection } from "../connection/connection.ts";
import { EngineError } from "../connection/engine-error.ts";
import { refusedBy } from "./containers.ts";
import { parseImageName } from "./image-name.ts";
import type { DeployerSettings } from "./options.ts";
import { Pull } from "./pull.ts";

export interface Image {
  readonly id: string;
  /** Of its manifest in a registry; absent for one that was built here. */
  readonly digest: string | undefined;
}

const MOST_REMEMBERED = 1000;

/** The images of an engine. */
export class Images {
  readonly #connection: EngineConnection;
  readonly #settings: DeployerSettings;
  readonly #pulls = new Map<string, Pull>();
  readonly #digests = new Map<string, readonly string[]>();

  constructor(connection: EngineConnection, settings: DeployerSettings) {
    this.#connection = connection;
    this.#settings = settings;
  }

  /** Makes the image be there, as the spec wants it. */
  async ensure({ image, pull }: ServerSpec, { signal, onProgress }: PrepareOptions): Promise<void> {
    if (pull !== "always" && (await this.find(image, { signal })) !== undefined) {
      onProgress?.({ phase: "ready" });
      return;
    }
    if (pull === "never") throw missing(image, 'and pull is "never"');
    await this.#pullOf(image).wait(onProgress, signal);
    if ((await this.find(image, { signal })) === undefined) throw missing(image, "although it was pulled");
    onProgress?.({ phase: "ready" });
  }

  /** Rejects `IMAGE_MISSING`. */
  async require(image: string, { signal }: OperationOptions): Promise<Image> {
    const found = await this.find(image, { signal });
    if (found === undefined) throw missing(image, "so prepare it first");
    return found;
  }

  /** By its name or its id. */
  async find(image: string, { signal }: OperationOptions): Promise<Image | undefined> {
    try {
      const path = `/images/${encodeURIComponent(image)}/json`;
      const { body } = await this.#connection.call({ path, signal });
      const { Id, RepoDigests } = body as { Id: string; RepoDigests?: readonly string[] | null };
      if (this.#digests.size >= MOST_REMEMBERED) this.#digests.clear();
      this.#digests.set(Id, RepoDigests ?? []);
      return { id: Id, digest: digestFor(image, RepoDigests ?? []) };
    } catch (error) {
      if (EngineError.is(error, 404)) return undefined;
      throw refusedBy(error);
    }
  }

  /** Of an image that a container runs; asked for once. */
  async digestOf(id: string, name: string, { signal }: OperationOptions): Promise<string | undefined> {
    const known = this.#digests.get(id);
    if (known !== undefined) return digestFor(name, known);
    await this.find(id, { signal });
    return digestFor(name, this.#digests.get(id) ?? []);
  }

  /** The one that is under way, or a new one. */
  #pullOf(image: string): Pull {
    const { repository, reference } = parseImageName(image);
    const key = `${repository} ${reference}`;
    const underWay = this.#pulls.get(key);
    if (underWay !== undefined) return underWay;
    const pull = new Pull(this.#connection, this.#settings, image, () => {
      if (this.#pulls.get(key) === pull) this.#pulls.delete(key);
    });
    this.#pulls.set(key, pull);
    return pull;
  }
}

/** An image may be known under the names of several registries. */
function digestFor(name: string, digests: readonly string[]): string | undefined {
  const repository = name.replace(/(?::[^/:@]+)?(?:@.*)?$/, "");
  const own = digests.find((digest) => digest.startsWith(`${repository}@`));
  return (own ?? digests[0])?.split("@")[1];
}

function missing(image: string, why: string): GatewayError {
  return new GatewayError("IMAGE_MISSING", `the engine does not have the image ${image}, ${why}`);
}
