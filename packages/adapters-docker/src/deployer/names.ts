import {
  type DeploymentIdentity,
  GatewayError,
  type OperationOptions,
  type ServerSpec,
} from "@modelgate/core";
import type { EngineConnection } from "../connection/connection.ts";
import { EngineError } from "../connection/engine-error.ts";
import { inspectContainer, type ListedContainer, listContainers, refusedBy, stateOf } from "./containers.ts";
import { containerName, networkOf } from "./create-body.ts";
import { invalidRequest } from "./invalid.ts";
import type { DeployerSettings } from "./options.ts";

const MOST_REMEMBERED = 10_000;

/** Whether a model's name is free on an engine, and the network that its server would join is there. */
export class Names {
  readonly #connection: EngineConnection;
  readonly #settings: DeployerSettings;
  /** By container and endpoint: aliases change with neither. */
  readonly #aliases = new Map<string, readonly string[]>();

  constructor(connection: EngineConnection, settings: DeployerSettings) {
    this.#connection = connection;
    this.#settings = settings;
  }

  /** Rejects `INVALID_REQUEST` when the network does not exist. */
  async requireNetwork(spec: ServerSpec, { signal }: OperationOptions): Promise<void> {
    const network = networkOf(spec, this.#settings);
    if (network === undefined) return;
    try {
      await this.#connection.call({ path: `/networks/${encodeURIComponent(network)}`, signal });
    } catch (error) {
      if (!EngineError.is(error, 404)) throw refusedBy(error);
      throw invalidRequest(
        "network",
        `"${network}" does not exist on the engine; make it, or name another one`,
      );
    }
  }

  /**
   * Rejects `NAME_TAKEN` when another's container has the name, in whatever state, or one that runs on the same network
   * answers to the model's name: whoever called it would then reach sometimes the one and sometimes the other.
   */
  async requireFree(
    spec: ServerSpec,
    identity: DeploymentIdentity,
    { signal }: OperationOptions,
  ): Promise<void> {
    const { labels } = this.#settings;
    const name = containerName(identity, this.#settings);
    const network = networkOf(spec, this.#settings);
    const all = await listContainers(this.#connection, {}, { signal });
    const others = all.filter(({ Labels }) => Labels?.[labels.installation] !== identity.installation);
    for (const other of others) {
      if (namesOf(other).includes(name)) throw taken(identity, "the name of a container");
    }
    const neighbours = others.filter(
      (other) => stateOf(other.State) === "running" && isOn(other, network) && network !== undefined,
    );
    for (const neighbour of neighbours) {
      if (namesOf(neighbour).includes(identity.model)) throw taken(identity, "the name of a container");
      if (neighbour.Labels?.[labels.composeService] === identity.model) {
        throw taken(identity, "a service of a compose project");
      }
    }
    const aliases = await Promise.all(neighbours.map((neighbour) => this.#aliasesOf(neighbour, { signal })));
    if (aliases.flat().includes(identity.model)) throw taken(identity, "an alias in the network");
  }

  /** A listing leaves them out. */
  async #aliasesOf(listed: ListedContainer, { signal }: OperationOptions): Promise<readonly string[]> {
    const endpoints = Object.values(listed.NetworkSettings?.Networks ?? {}).map(
      ({ EndpointID }) => EndpointID,
    );
    const key = [listed.Id, ...endpoints].join(" ");
    const known = this.#aliases.get(key);
    if (known !== undefined) return known;
    const container = await inspectContainer(this.#connection, listed.Id, { signal });
    const networks = Object.values(container?.NetworkSettings.Networks ?? {});
    const aliases = networks.flatMap(({ Aliases }) => Aliases ?? []);
    if (this.#aliases.size >= MOST_REMEMBERED) this.#aliases.clear();
    this.#aliases.set(key, aliases);
    return aliases;
  }
}

function namesOf({ Names: names }: ListedContainer): readonly string[] {
  return (names ?? []).map((name) => name.replace(/^\//, ""));
}

function isOn({ NetworkSettings }: ListedContainer, network: string | undefined): boolean {
  if (network === undefined) return false;
  return Object.entries(NetworkSettings?.Networks ?? {}).some(
    ([name, { NetworkID }]) => name === network || NetworkID === network,
  );
}

function taken({ model }: DeploymentIdentity, by: string): GatewayError {
  return new GatewayError(
    "NAME_TAKEN",
    `"${model}" is ${by} that this installation did not start; rename or remove one of the two`,
  );
}
