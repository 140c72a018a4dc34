import type { DeploymentIdentity } from "@modelgate/core";
import { type DockerLabels, MANAGED_BY_US } from "../labels.ts";

/** Time to live in milliseconds, as it was asked for; empty means for ever. */
export const TTL_LABEL = "modelgate.ttl-ms";
/** Names of the variables that are secrets, as a JSON list: only names, since anybody who sees labels sees this. */
export const SECRET_ENV_LABEL = "modelgate.secret-env";
/** Of the label `address`: by a port of the host. */
export const ADDRESS_BY_PORT = "published";

type Written = Readonly<Record<string, string>>;

/** Undefined for a container that no deployer made. */
export function identityOf(written: Written, keys: DockerLabels): DeploymentIdentity | undefined {
  const installation = written[keys.installation];
  const model = written[keys.model];
  const generation = written[keys.generation];
  const kind = written[keys.deploymentType];
  if (installation === undefined || model === undefined || generation === undefined) return undefined;
  if (kind !== "manual" && kind !== "auto") return undefined;
  const ttl = written[TTL_LABEL] ?? "";
  const modelUri = written[keys.modelUri] ?? "";
  return {
    installation,
    model,
    generation,
    kind,
    ...(ttl !== "" && Number.isFinite(Number(ttl)) && { ttlMs: Number(ttl) }),
    ...(modelUri !== "" && { modelUri }),
  };
}

/** Whether another gateway deployed it: what nobody deployed, or another installation of ours, is nobody's to take. */
export function isAnothers(written: Written, keys: DockerLabels): boolean {
  const kind = written[keys.deploymentType];
  const by = written[keys.managedBy] ?? "";
  if (kind !== "manual" && kind !== "auto") return false;
  return by !== "" && by !== MANAGED_BY_US && written[keys.installation] === undefined;
}

export function secretNames(written: Written): ReadonlySet<string> {
  try {
    const names: unknown = JSON.parse(written[SECRET_ENV_LABEL] ?? "[]");
    return new Set(Array.isArray(names) ? names.filter((name) => typeof name === "string") : []);
  } catch {
    return new Set();
  }
}
