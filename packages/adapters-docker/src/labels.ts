import { invalidOption } from "@modelgate/core/adapter";

/** The keys of the labels that are read and written. Each may be given another name. */
export interface DockerLabels {
  /** On every model server; its value is the model's type, or its name where a gateway started it. */
  readonly modelServe: string;
  /** Where the model comes from. */
  readonly modelUri: string;
  readonly composeProject: string;
  readonly composeService: string;
  /** Who started it. */
  readonly managedBy: string;
  /** `manual` or `auto`. */
  readonly deploymentType: string;
  /** Time to live in seconds, as it was asked for; -1 means for ever. */
  readonly ttl: string;
  readonly installation: string;
  readonly generation: string;
  readonly model: string;
  /** Names of several models, separated by commas. */
  readonly models: string;
  readonly slots: string;
  readonly protocol: string;
  readonly weight: string;
  /** The port inside. */
  readonly port: string;
  /** Name of the network by which it is reached. */
  readonly network: string;
  /** `network`, by its own address there; or `published`, by a port of the host. */
  readonly address: string;
}

export const DEFAULT_LABELS: DockerLabels = {
  modelServe: "org.cogstack.model-serve",
  modelUri: "org.cogstack.model-serve.uri",
  composeProject: "com.docker.compose.project",
  composeService: "com.docker.compose.service",
  managedBy: "org.cogstack.model-gateway.managed-by",
  deploymentType: "org.cogstack.model-gateway.deployment-type",
  ttl: "org.cogstack.model-gateway.ttl",
  installation: "modelgate.installation",
  generation: "modelgate.generation",
  model: "modelgate.model",
  models: "modelgate.models",
  slots: "modelgate.slots",
  protocol: "modelgate.protocol",
  weight: "modelgate.weight",
  port: "modelgate.port",
  network: "modelgate.network",
  address: "modelgate.address",
};

/** What our own servers carry as `managedBy`. Those of Cogstack's gateway carry `cmg`. */
export const MANAGED_BY_US = "modelgate";

/** The keys that are used. Throws `INVALID_OPTIONS` that names the field. */
export function labelsFrom(given: Partial<DockerLabels> = {}): DockerLabels {
  const labels: Record<keyof DockerLabels, string> = { ...DEFAULT_LABELS };
  for (const [name, key] of Object.entries(given)) {
    const field = `labels.${name}`;
    if (!(name in DEFAULT_LABELS)) throw invalidOption(field, "is not a label that is used");
    if (key === undefined) continue;
    // An engine's filter takes all after the first "=" for the value.
    if (typeof key !== "string" || !/^[^\s=]+$/.test(key)) {
      throw invalidOption(field, 'must be the key of a label, without spaces and "="');
    }
    labels[name as keyof DockerLabels] = key;
  }
  const names = Object.keys(labels) as (keyof DockerLabels)[];
  for (const [at, name] of names.entries()) {
    const other = names.slice(0, at).find((earlier) => labels[earlier] === labels[name]);
    if (other !== undefined) throw invalidOption(`labels.${name}`, `is the same as labels.${other}`);
  }
  return labels;
}
