import type {
  AdoptedServer,
  DeployedServer,
  DeploymentIdentity,
  ListServersOptions,
  OperationOptions,
} from "@modelgate/core";
import type { EngineConnection } from "../connection/connection.ts";
import type { DockerLabels } from "../labels.ts";
import { serverIdOf } from "../server-id.ts";
import { inspectContainer, type ListedContainer, listContainers, stateOf } from "./containers.ts";
import { endFailure } from "./failure.ts";
import type { Images } from "./images.ts";
import { identityOf, isAnothers } from "./own-labels.ts";

type Exit = NonNullable<DeployedServer["exit"]>;

const MOST_REMEMBERED = 10_000;

/** The servers of installations. One listing tells everything but how a server ended, which is asked for once. */
export class Servers {
  readonly #connection: EngineConnection;
  readonly #images: Images;
  readonly #labels: DockerLabels;
  /** By container and exit code, which another run may change. */
  readonly #exits = new Map<string, Exit>();

  constructor(connection: EngineConnection, images: Images, labels: DockerLabels) {
    this.#connection = connection;
    this.#images = images;
    this.#labels = labels;
  }

  async list(
    installation: string,
    { adopted = [], ...options }: ListServersOptions,
  ): Promise<readonly DeployedServer[]> {
    const filters = { label: [`${this.#labels.installation}=${installation}`] };
    const listed = await listContainers(this.#connection, filters, options);
    const servers = await Promise.all([
      ...listed.map((container) => this.#serverOf(container, options)),
      ...adopted.map((server) => this.#adopted(server, options)),
    ]);
    return servers.filter((server) => server !== undefined);
  }

  async #serverOf(
    container: ListedContainer,
    options: OperationOptions,
  ): Promise<DeployedServer | undefined> {
    const { Id, Names, Labels, State, Image, ImageID } = container;
    const identity = identityOf(Labels ?? {}, this.#labels);
    if (identity === undefined) return undefined;
    const [imageDigest, exit] = await Promise.all([
      this.#images.digestOf(ImageID, Image, options),
      hasEnded(State) ? this.#exitOf(container, options) : undefined,
    ]);
    if (exit === null) return undefined;
    const name = (Names?.[0] ?? "").replace(/^\//, "");
    return deployedServer(identity, { id: Id, name, state: stateOf(State), exit, imageDigest });
  }

  /** Undefined for one that is gone, or that nobody could have taken over. */
  async #adopted(server: AdoptedServer, options: OperationOptions): Promise<DeployedServer | undefined> {
    const container = await inspectContainer(this.#connection, server.id, options);
    if (container === undefined || !isAnothers(container.Config.Labels ?? {}, this.#labels)) return undefined;
    const { Status, ExitCode: exitCode, OOMKilled: isOutOfMemory } = container.State;
    const { message } = endFailure({ exitCode, isOutOfMemory });
    return deployedServer(server, {
      id: container.Id,
      name: container.Name.slice(1),
      state: stateOf(Status),
      exit: hasEnded(Status) ? { code: exitCode, isOutOfMemory, message } : undefined,
    });
  }

  /** Resolves `null` when it is gone meanwhile, and `undefined` when it runs again. */
  async #exitOf(
    { Id, Status }: ListedContainer,
    options: OperationOptions,
  ): Promise<Exit | null | undefined> {
    const key = `${Id} ${/\((\d+)\)/.exec(Status)?.[1] ?? ""}`;
    const known = this.#exits.get(key);
    if (known !== undefined) return known;
    const container = await inspectContainer(this.#connection, Id, options);
    if (container === undefined) return null;
    if (!hasEnded(container.State.Status)) return undefined;
    const { ExitCode: exitCode, OOMKilled: isOutOfMemory } = container.State;
    const { message } = endFailure({ exitCode, isOutOfMemory });
    const exit = { code: exitCode, isOutOfMemory, message };
    if (this.#exits.size >= MOST_REMEMBERED) this.#exits.clear();
    this.#exits.set(key, exit);
    return exit;
  }
}

/** Between two starts it has ended, too: whoever waits for it to become ready learns why it does not. */
function hasEnded(state: string): boolean {
  return stateOf(state) === "stopped" || state === "restarting";
}

/** What is said of a server; what is not known is absent. */
export function deployedServer(
  identity: DeploymentIdentity,
  known: Pick<DeployedServer, "id" | "name" | "state" | "exit" | "imageDigest">,
): DeployedServer {
  const { installation, model, generation, kind, ttlMs, modelUri } = identity;
  const { id, name, state, exit, imageDigest } = known;
  return {
    id,
    serverId: serverIdOf(id),
    name,
    state,
    installation,
    model,
    generation,
    kind,
    ...(ttlMs !== undefined && { ttlMs }),
    ...(modelUri !== undefined && modelUri !== "" && { modelUri }),
    ...(exit !== undefined && { exit }),
    ...(imageDigest !== undefined && { imageDigest }),
  };
}
