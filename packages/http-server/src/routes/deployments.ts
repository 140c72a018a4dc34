import { type Deployment, type Deployments, type DeployRequest, GatewayError } from "@modelgate/core";
import { createKeyCheck } from "../admin-key.ts";
import { invalid, json, problem } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { RequestView, ResponseView, Route } from "../exchange.ts";
import { readJsonBody } from "../json-body.ts";
import { readBooleans } from "../query.ts";
import { FieldReader } from "./deployments-fields.ts";
import { deploymentForm, readLogs, readLogTail } from "./deployments-form.ts";
import {
  alreadyRunning,
  beingRemoved,
  deploymentFailed,
  INVALID_NAME,
  isDeployable,
  NO_DEPLOYMENTS,
  onlyAdmins,
  stillDeploying,
  stillRemoving,
  trackedModelUnknown,
} from "./deployments-refusals.ts";
import { readDemands } from "./deployments-resources.ts";
import { endsInTime, longestWaitMs, settledInTime } from "./deployments-wait.ts";

const MAX_BODY_BYTES = 64 * 1024;

/** Deploys a model, and answers when its server was started; whether it is ready is for the model's entry to say. */
export function deployRoute(context: HttpContext): Route {
  return async (request, [name = ""]) => {
    const { deployments } = context.gateway;
    if (deployments === undefined) return NO_DEPLOYMENTS;
    if (!isDeployable(name)) return INVALID_NAME;
    const wish = await readWish(request, name);
    if (wish.modelUri === undefined && wish.trackingId === undefined) {
      return problem(400, "At least one of `tracking_id` or `model_uri` must be provided.", {
        code: "INVALID_REQUEST",
      });
    }
    const endsAtMs = performance.now() + longestWaitMs(context);
    try {
      await deployments.deploy(wish);
    } catch (error) {
      return answerToRefusal(error, wish);
    }
    return await deployed(context, request, deployments, name, endsAtMs - performance.now());
  };
}

async function readWish(request: RequestView, model: string): Promise<DeployRequest> {
  const body = new FieldReader(
    await readJsonBody(request.body, { maxBytes: MAX_BODY_BYTES, isOptional: true }),
  );
  const ttl = body.integer("ttl");
  const wish = {
    model,
    modelUri: body.text("model_uri")?.trim() || undefined,
    trackingId: body.text("tracking_id")?.trim() || undefined,
    ttlMs: ttl === -1 ? null : ttl === undefined ? undefined : ttl * 1000,
    demands: readDemands(body),
  };
  body.finish();
  return wish;
}

function answerToRefusal(error: unknown, wish: DeployRequest): ResponseView {
  if (GatewayError.is(error, "DEPLOYMENT_CONFLICT")) {
    const { state } = error.details;
    return state === "draining" || state === "stopping"
      ? beingRemoved(wish.model)
      : alreadyRunning(wish.model);
  }
  if (GatewayError.is(error, "TRACKED_MODEL_UNKNOWN")) {
    return trackedModelUnknown(error.details["field"], wish);
  }
  if (!GatewayError.is(error, "INVALID_REQUEST")) throw error;
  const { field, rule, maxTtlMs } = error.details;
  if (field === "model") return INVALID_NAME;
  if (field !== "ttlMs") throw error;
  const code = "INVALID_REQUEST";
  if (rule === "not-allowed") {
    const detail = "TTL override is not allowed. Remove ttl parameter or contact administrator.";
    return problem(403, detail, { code });
  }
  if (rule === "maximum") {
    const seconds = Math.floor(Number(maxTtlMs) / 1000);
    return problem(400, `TTL exceeds maximum allowed value of ${seconds} seconds.`, { code });
  }
  return problem(400, "TTL should be a number of seconds above 0, or -1 for a model that is never removed.", {
    code,
  });
}

async function deployed(
  context: HttpContext,
  request: RequestView,
  deployments: Deployments,
  name: string,
  timeoutMs: number,
): Promise<ResponseView> {
  let deployment: Deployment | undefined;
  try {
    deployment = await settledInTime(context, request, deployments, name, { until: "started", timeoutMs });
  } catch (error) {
    if (!GatewayError.is(error, "DEPLOYMENT_UNKNOWN")) throw error;
    const detail = `Model '${name}' was removed while it was being deployed`;
    return problem(409, detail, { code: "DEPLOYMENT_CONFLICT" });
  }
  if (deployment?.state === "failed") return deploymentFailed(name, deployment.error);
  if (deployment?.isStarted !== true) return stillDeploying(name, deployment);
  context.options.metrics?.deployed(name, deployment.modelUri);
  return json(200, {
    message: `Model '${name}' deployed successfully`,
    model_uri: deployment.modelUri,
    container_id: deployment.server?.id,
    container_name: deployment.server?.name,
    ttl: deployment.ttlMs === undefined ? -1 : Math.ceil(deployment.ttlMs / 1000),
  });
}

/** Removes a server that this installation deployed, whoever asked for it; those of others are left alone. */
export function removeRoute(context: HttpContext): Route {
  return async (request, [name = ""]) => {
    const { gateway } = context;
    const { deployments } = gateway;
    if (deployments === undefined) return NO_DEPLOYMENTS;
    const { values, issues } = readBooleans(request.query, ["force"]);
    if (issues.length > 0) return invalid(issues);
    if (!isDeployable(name)) {
      const isServed = gateway.models().some((each) => each.name === name && each.servers.length > 0);
      return isServed ? notOurs(name) : INVALID_NAME;
    }
    const deployment = await deployments.get(name);
    if (deployment?.state === "failed" && !values.force) {
      return problem(
        404,
        `Model '${name}' is not currently running. Use force=true to remove stopped containers.`,
        { code: "DEPLOYMENT_UNKNOWN" },
      );
    }
    try {
      const isGone = await endsInTime(context, request, longestWaitMs(context), (signal) =>
        deployments.remove(name, { signal }),
      );
      return isGone ? removed : stillRemoving(name);
    } catch (error) {
      if (GatewayError.is(error, "NOT_OURS")) return notOurs(name);
      if (GatewayError.is(error, "DEPLOYMENT_UNKNOWN")) {
        // There was one: somebody else removed it meanwhile.
        return values.force || deployment !== undefined ? removed : nothingToRemove(name);
      }
      if (!GatewayError.is(error, "DEPLOYER_REFUSED")) throw error;
      context.options.onError(error);
      return problem(500, `Failed to remove container for model '${name}'`, { code: error.code });
    }
  };
}

const removed: ResponseView = { status: 204, headers: {}, body: "" };

function nothingToRemove(name: string): ResponseView {
  return problem(404, `Container for model '${name}' not found`, { code: "DEPLOYMENT_UNKNOWN" });
}

function notOurs(name: string): ResponseView {
  const detail = `Model '${name}' is served by a server that this gateway did not deploy, and which it leaves alone.`;
  return problem(403, detail, { code: "NOT_OURS" });
}

/** How a deployment is; with `logs=N`, for administrators, what its server wrote last. */
export function deploymentRoute({ gateway, options }: HttpContext): Route {
  const hasKey = createKeyCheck(options.adminKey);
  return async (request, [name = ""]) => {
    const { deployments } = gateway;
    if (deployments === undefined) return NO_DEPLOYMENTS;
    const { tail, issue } = readLogTail(request.query);
    if (tail !== undefined && !hasKey(request)) return onlyAdmins("read what servers write");
    if (issue !== undefined) return invalid([issue]);
    const deployment = isDeployable(name) ? await deployments.get(name) : undefined;
    if (deployment === undefined) {
      return problem(404, `There is no deployment of model '${name}'.`, { code: "DEPLOYMENT_UNKNOWN" });
    }
    const form = deploymentForm(deployment);
    return json(200, tail === undefined ? form : { ...form, logs: await readLogs(deployments, name, tail) });
  };
}
