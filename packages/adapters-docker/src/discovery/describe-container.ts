import type { ServerEntry } from "@modelgate/core/adapter";
import type { DockerLabels } from "../labels.ts";
import { serverIdOf } from "../server-id.ts";
import { type AddressKind, addressOf, type Vantage } from "./address.ts";
import type { ContainerFacts } from "./container-facts.ts";

export interface DescribeSettings {
  readonly labels: DockerLabels;
  readonly address: AddressKind;
  /** For the kind `proxy`. */
  readonly proxyUrl?: string | undefined;
  readonly network: string | undefined;
  readonly port: number | undefined;
  readonly protocol: string;
}

/** Something about a container that cannot be followed. */
export interface ContainerProblem {
  /** The key of the label that is wrong; absent when it is no label. */
  readonly label?: string | undefined;
  readonly problem: string;
}

export interface Description {
  /** Undefined when it cannot be reached at all. */
  readonly entry: ServerEntry | undefined;
  readonly problems: readonly ContainerProblem[];
}

/** A running container as a server. A label that cannot be understood is left out and told. */
export function describeContainer(
  facts: ContainerFacts,
  settings: DescribeSettings,
  vantage: Vantage,
): Description {
  const { labels } = settings;
  const problems: ContainerProblem[] = [];
  const read = <T>(
    name: keyof DockerLabels,
    parse: (text: string) => T | undefined,
    fix: string,
  ): T | undefined => {
    const text = facts.labels[labels[name]]?.trim();
    if (text === undefined || text === "") return undefined;
    const value = parse(text);
    if (value === undefined) problems.push({ label: labels[name], problem: `is not ${fix}` });
    return value;
  };
  const port = read("port", wholeFrom(1, 65_535), "a port from 1 to 65535") ?? settings.port;
  const kind = read("address", addressKind, "network or published") ?? settings.address;
  const limit = read("slots", wholeFrom(1, 1_000_000), "a whole number above 0");
  const weight = read("weight", aboveZero, "a number above 0");
  const protocol = read("protocol", (text) => text, "a name") ?? settings.protocol;
  const network = read("network", (text) => text, "a name") ?? settings.network;
  const models = modelsOf(facts, labels);
  const { proxyUrl } = settings;
  const [model = facts.name] = models;
  const address = addressOf(facts, { kind, network, port, model, proxyUrl }, vantage);
  if ("problem" in address) problems.push(address);
  const entry: ServerEntry | undefined =
    "problem" in address
      ? undefined
      : {
          id: serverIdOf(facts.id),
          url: address.url,
          models,
          protocol,
          limit,
          weight,
          room: Object.keys(facts.room).length === 0 ? undefined : facts.room,
          instance: `${facts.id.slice(0, 12)}@${facts.startedAt}`,
          details: detailsOf(facts, labels, problems),
          suspended: facts.state === "paused" ? "its container is paused" : undefined,
        };
  return { entry, problems };
}

/** Compose numbers the containers of a service, so that the service's name is the better one. */
function modelsOf(facts: ContainerFacts, labels: DockerLabels): readonly string[] {
  const text = (name: keyof DockerLabels): string => facts.labels[labels[name]]?.trim() ?? "";
  const several = text("models")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (several.length > 0) return [...new Set(several)];
  return [text("model") || text("composeService") || facts.name];
}

const DETAILS = {
  modelServe: "type",
  modelUri: "uri",
  composeProject: "project",
  managedBy: "managedBy",
  deploymentType: "deployment",
  ttl: "ttl",
  installation: "installation",
  generation: "generation",
} as const;

function detailsOf(
  facts: ContainerFacts,
  labels: DockerLabels,
  problems: readonly ContainerProblem[],
): Readonly<Record<string, string>> {
  const details: Record<string, string> = { container: facts.name, image: facts.image };
  for (const [name, detail] of Object.entries(DETAILS)) {
    const text = facts.labels[labels[name as keyof typeof DETAILS]];
    if (text !== undefined && text !== "") details[detail] = withoutCredentials(text);
  }
  const addresses = facts.networks.map(({ address }) => address).filter((address) => address !== "");
  if (addresses.length > 0) details["addresses"] = addresses.join(" ");
  if (facts.health !== undefined) details["health"] = facts.health;
  if (problems.length > 0) details["warning"] = problems.map(problemText).join("; ");
  return details;
}

export function problemText({ label, problem }: ContainerProblem): string {
  return label === undefined ? problem : `label ${label} ${problem}`;
}

function withoutCredentials(text: string): string {
  return text.replace(/\/\/[^/@\s]*@/g, "//");
}

function wholeFrom(least: number, most: number): (text: string) => number | undefined {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most ? value : undefined;
  };
}

function aboveZero(text: string): number | undefined {
  const value = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
  return value > 0 ? value : undefined;
}

function addressKind(text: string): AddressKind | undefined {
  return text === "network" || text === "published" ? text : undefined;
}
