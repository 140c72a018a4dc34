import type { DeploymentIdentity, ServerSpec } from "../contracts/deployer.ts";
import { GatewayError } from "../errors.ts";

type Texts = readonly (readonly [field: string, text: string | undefined])[];

/** Refuses what no engine could run. Values are never shown: they may be secrets. */
export function requireRunnable(spec: ServerSpec, identity: DeploymentIdentity): void {
  for (const field of ["model", "installation", "generation"] as const) {
    if (identity[field] === "") throw refused(field, "is empty; give a name");
  }
  if (spec.image === "") throw refused("image", "is empty; give the name of an image");
  if (!Number.isInteger(spec.port) || spec.port < 1 || spec.port > 65_535) {
    throw refused("port", `is ${spec.port}; give a whole number from 1 to 65535`);
  }
  for (const name of Object.keys(spec.env ?? {})) {
    if (name === "" || name.includes("=") || !isKept(name)) {
      throw refused("env", 'has a name that is empty or holds "=", a NUL or half of a character; rename it');
    }
  }
  for (const [field, text] of [...textsOf(spec), ...textsOfIdentity(identity)]) {
    if (text !== undefined && !isKept(text)) {
      throw refused(field, "holds a NUL or half of a character; leave it out");
    }
  }
  requireAmounts("limits", spec.limits);
  requireAmounts("reservations", spec.reservations);
}

function textsOf(spec: ServerSpec): Texts {
  const { image, command = [], env = {}, labels = {}, network, volumes = [], user, tmpfs = [] } = spec;
  return [
    ["image", image],
    ["network", network],
    ["user", user],
    ...command.map((text, at) => [`command[${at}]`, text] as const),
    ...tmpfs.map((text, at) => [`tmpfs[${at}]`, text] as const),
    ...Object.entries(env).map(([name, text]) => [`env.${name}`, text] as const),
    ...Object.entries(labels).flatMap(([name, text]) => [
      ["labels", name] as const,
      [`labels.${name}`, text] as const,
    ]),
    ...volumes.flatMap(({ source, target }, at) => [
      [`volumes[${at}].source`, source] as const,
      [`volumes[${at}].target`, target] as const,
    ]),
  ];
}

function textsOfIdentity({ installation, model, generation, modelUri }: DeploymentIdentity): Texts {
  return Object.entries({ installation, model, generation, modelUri });
}

function requireAmounts(field: string, amounts: Readonly<Record<string, number | undefined>> = {}): void {
  for (const [name, amount] of Object.entries(amounts)) {
    if (amount === undefined || (Number.isFinite(amount) && amount >= 0)) continue;
    throw refused(`${field}.${name}`, `is ${amount}; give a number that is not negative`);
  }
}

/** Whether an engine can keep a text: C strings end at a NUL, and half of a pair is no UTF-8. */
function isKept(text: string): boolean {
  return !text.includes("\u0000") && text.isWellFormed();
}

function refused(field: string, what: string): GatewayError {
  return new GatewayError("INVALID_REQUEST", `${field} ${what}`, { details: { field } });
}
