import type { ContainerFacts, ContainerNetwork, ContainerPort } from "./container-facts.ts";

/** How containers are reached. */
export const ADDRESS_KINDS = ["auto", "network", "published", "name", "proxy"] as const;

/**
 * `network`: a container's own address; `published`: a port of the host. `auto`: the first of them that can be reached.
 * `name`: the container's name, which the engine's own name service knows; `proxy`: a path of a reverse proxy.
 */
export type AddressKind = (typeof ADDRESS_KINDS)[number];

/** From where containers are reached. */
export interface Vantage {
  /** The host of the engine, as it is reached from here. */
  readonly publishedHost: string;
  /** Whose own addresses can be reached from here: those in every network, in none, or in these, by id. */
  readonly reach: "all" | "none" | ReadonlySet<string>;
}

export interface AddressWish {
  readonly kind: AddressKind;
  /** The network's name. */
  readonly network: string | undefined;
  /** The port inside. */
  readonly port: number | undefined;
  /** The model's name, which the address by a proxy may hold. */
  readonly model: string;
  /** The address by a proxy, with `{model}` or `{name}` in it. */
  readonly proxyUrl: string | undefined;
}

export type AddressAnswer = { readonly url: string } | { readonly problem: string };

const ANY_ADDRESS = new Set(["", "0.0.0.0", "::"]);

/** Where a container is reached, or why it cannot be. */
export function addressOf(facts: ContainerFacts, wish: AddressWish, vantage: Vantage): AddressAnswer {
  if (wish.kind === "published") return publishedAddress(facts, wish, vantage);
  if (wish.kind === "proxy") return { url: proxyAddress(facts, wish) };
  const isHost = facts.networkMode === "host" && wish.network === undefined;
  if (isHost) return onPort(facts, wish, () => vantage.publishedHost);
  if (facts.networkMode.startsWith("container:")) {
    return { problem: "it has the network of another container; publish its port, or give it a network" };
  }
  // Every container of a network of its own answers to its name, in whichever of them the caller is, too.
  if (wish.kind === "name") return onPort(facts, wish, () => facts.name);
  const network = networkFor(facts, wish, vantage);
  if (wish.kind === "auto" && (network === undefined || !isReached(network, vantage))) {
    const published = publishedAddress(facts, wish, vantage);
    if ("url" in published) return published;
  }
  if (network === undefined) {
    const where = wish.network === undefined ? "any network" : `the network "${wish.network}"`;
    return { problem: `it has no address in ${where}; attach it` };
  }
  return onPort(facts, wish, () => network.address);
}

/** One that can be reached, if there is such a one; else the first by name, so that every process takes the same. */
function networkFor(
  { networks }: ContainerFacts,
  { network }: AddressWish,
  vantage: Vantage,
): ContainerNetwork | undefined {
  const candidates = networks
    .filter(({ name, address }) => address !== "" && (network === undefined || name === network))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
  return candidates.find((candidate) => isReached(candidate, vantage)) ?? candidates[0];
}

function isReached({ id }: ContainerNetwork, { reach }: Vantage): boolean {
  return reach === "all" || (reach !== "none" && reach.has(id));
}

function publishedAddress(facts: ContainerFacts, wish: AddressWish, vantage: Vantage): AddressAnswer {
  const isPublished = ({ port, published }: ContainerPort): boolean => {
    return published.length > 0 && (wish.port === undefined || wish.port === port);
  };
  const bindings = facts.ports.find(isPublished)?.published ?? [];
  // An engine that publishes for both families may take another port for each.
  const binding = bindings.find(({ hostAddress }) => !hostAddress.includes(":")) ?? bindings[0];
  if (binding === undefined) {
    return { problem: `${wish.port === undefined ? "no port of it" : `its port ${wish.port}`} is published` };
  }
  const { hostAddress, hostPort } = binding;
  return { url: urlOf(ANY_ADDRESS.has(hostAddress) ? vantage.publishedHost : hostAddress, hostPort) };
}

/** The port inside is for the proxy to know. */
function proxyAddress({ name }: ContainerFacts, { proxyUrl = "", model }: AddressWish): string {
  const filled = proxyUrl.replace(/\{(model|name)\}/g, (_, what: string) =>
    encodeURIComponent(what === "model" ? model : name),
  );
  return filled.replace(/\/+$/, "");
}

function onPort(facts: ContainerFacts, wish: AddressWish, host: () => string): AddressAnswer {
  const port = wish.port ?? facts.ports[0]?.port;
  return port === undefined
    ? { problem: "it exposes no port; say by a label or an option which one it listens on" }
    : { url: urlOf(host(), port) };
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
