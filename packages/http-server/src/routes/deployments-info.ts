import { setTimeout as sleep } from "node:timers/promises";
import { type Deployment, GatewayError, type ServerAnswer } from "@modelgate/core";
import { problem } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { RequestView, ResponseView, Route } from "../exchange.ts";
import { headerValue } from "../header-value.ts";
import { discard } from "../read-stream.ts";
import { isDeployable, reasonMember } from "./deployments-refusals.ts";
import { longestWaitMs, settledInTime } from "./deployments-wait.ts";
import { namedModel } from "./model-listing.ts";
import { modelNotAvailable } from "./model-texts.ts";

/** Between a server's being ready and this gateway's knowing where it is. */
const LONGEST_LAG_MS = 5_000;
const LAG_POLL_MS = 50;

/** What a server of the model says of itself. An on-demand model is deployed for it. */
export function modelInfoRoute(context: HttpContext): Route {
  return async (request, [given = ""]) => {
    const name = namedModel(context.gateway, given);
    const answer = await infoOf(context, name);
    if (answer !== undefined) return await infoAnswer(name, answer);
    return await infoOnDemand(context, request, name);
  };
}

/** `undefined` while no server of the model can be asked. */
async function infoOf({ gateway }: HttpContext, name: string): Promise<ServerAnswer | undefined> {
  try {
    return await gateway.info(name);
  } catch (error) {
    const isAway = ["MODEL_UNKNOWN", "SERVER_UNREACHABLE", "SERVER_BUSY"] as const;
    if (!isAway.some((code) => GatewayError.is(error, code))) throw error;
    return undefined;
  }
}

async function infoOnDemand(context: HttpContext, request: RequestView, name: string): Promise<ResponseView> {
  const { gateway } = context;
  const { deployments } = gateway;
  if (deployments === undefined || !isDeployable(name)) return await modelNotAvailable(gateway, name);
  const endsAtMs = performance.now() + longestWaitMs(context);
  if ((await deployments.ensure(name)) === undefined) return await modelNotAvailable(gateway, name);
  let deployment: Deployment | undefined;
  try {
    const timeoutMs = endsAtMs - performance.now();
    deployment = await settledInTime(context, request, deployments, name, { until: "ready", timeoutMs });
  } catch (error) {
    if (!GatewayError.is(error, "DEPLOYMENT_UNKNOWN")) throw error;
    return await modelNotAvailable(gateway, name);
  }
  if (deployment?.state === "ready") {
    const lagEndsAtMs = Math.min(endsAtMs, performance.now() + LONGEST_LAG_MS);
    do {
      const answer = await infoOf(context, name);
      if (answer !== undefined) return await infoAnswer(name, answer);
      await sleep(LAG_POLL_MS, undefined, { ref: false });
    } while (performance.now() < lagEndsAtMs);
  }
  return await modelNotAvailable(gateway, name, {
    code: deployment?.state === "failed" ? deployment.error?.code : undefined,
    headers: { "retry-after": "5" },
    members: { state: deployment?.state, ...reasonMember(deployment?.error) },
  });
}

async function infoAnswer(name: string, answer: ServerAnswer): Promise<ResponseView> {
  const { status = 200 } = answer;
  if (status < 300) {
    return {
      status: 200,
      headers: { "content-type": headerValue(answer.contentType) ?? "application/json" },
      body: answer.body,
      sizeBytes: answer.sizeBytes,
    };
  }
  await discard(answer.body);
  if (status === 404) {
    return problem(404, `Model '${name}' not found. You can list all available models at /models`);
  }
  return problem(500, `The server of model '${name}' answered its /info with status ${status}.`);
}
