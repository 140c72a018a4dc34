import type { Deployment, DeploymentError } from "@modelgate/core";
import { bareProblem, problem } from "../answers.ts";
import type { ResponseView } from "../exchange.ts";

const RETRY_AFTER = { "retry-after": "5" };

export const INVALID_NAME = problem(
  400,
  "Invalid model name. The model name must start with an alphanumeric character and can only contain alphanumeric characters, underscores (_), dots (.), and dashes (-).",
  { code: "INVALID_REQUEST" },
);

/** The option is `createGateway`'s. */
export const NO_DEPLOYMENTS = problem(
  404,
  'This gateway deploys no servers: it was made without the option "deployments".',
  { code: "UNSUPPORTED" },
);

export function onlyAdmins(what: string): ResponseView {
  return bareProblem(403, `Only admins can ${what}`);
}

/** What a deployed model can be named; any other text is the name of no deployment. */
export function isDeployable(name: string): boolean {
  return name.length <= 255 && /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name);
}

/** The words of callers for a model that the tracker does not know. */
export function trackedModelUnknown(
  field: unknown,
  given: { readonly trackingId?: string | undefined; readonly modelUri?: string | undefined },
): ResponseView {
  const detail =
    field === "trackingId"
      ? `Model not found for tracking ID '${given.trackingId ?? ""}'.`
      : `Model URI '${given.modelUri ?? ""}' could not be validated. Model may not exist.`;
  return problem(404, detail, { code: "TRACKED_MODEL_UNKNOWN" });
}

export function alreadyRunning(name: string, reason?: DeploymentError): ResponseView {
  return problem(
    409,
    `Model '${name}' is already running, please choose a different name. You can list all available models at /models`,
    { code: reason?.code ?? "DEPLOYMENT_CONFLICT", members: reasonMember(reason) },
  );
}

/** A name is free again once the server that had it is gone. */
export function beingRemoved(name: string): ResponseView {
  return problem(409, `Model '${name}' is being removed; deploy it again when it is gone.`, {
    code: "DEPLOYMENT_CONFLICT",
    headers: RETRY_AFTER,
  });
}

/** For a deployment that was started, and of which somebody waited for the end. */
export function deploymentFailed(name: string, reason: DeploymentError | undefined): ResponseView {
  if (reason?.code === "NAME_TAKEN") return alreadyRunning(name, reason);
  const members = reasonMember(reason);
  return problem(500, `Failed to deploy model '${name}'`, { code: reason?.code, members });
}

/** For one that goes on although the caller is not waited with any longer. */
export function stillDeploying(name: string, deployment: Deployment | undefined): ResponseView {
  return problem(503, `Model '${name}' is still being deployed; ask for it again later.`, {
    headers: RETRY_AFTER,
    members: { state: deployment?.state, ...reasonMember(deployment?.error) },
  });
}

export function stillRemoving(name: string): ResponseView {
  return problem(503, `Model '${name}' is still being removed; ask again later.`, { headers: RETRY_AFTER });
}

export function reasonMember(reason: DeploymentError | undefined): { reason?: DeploymentError } {
  return reason === undefined ? {} : { reason: { code: reason.code, message: reason.message } };
}
