import { GatewayError, type ServerAnswer } from "@modelgate/core";
import { invalid, jsonText, problem } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { ResponseView, Route } from "../exchange.ts";
import { headerValue } from "../header-value.ts";
import { readBooleans } from "../query.ts";
import { discard, readText } from "../read-stream.ts";
import { modelNotAvailable, modelNotFound, runningModels } from "./model-texts.ts";

/** What a server says of itself is a few kilobytes; whoever sends more is left out. */
const MAX_INFO_BYTES = 1024 * 1024;

export function listModelsRoute(context: HttpContext): Route {
  return async ({ query }) => {
    const { values, issues } = readBooleans(query, ["verbose"]);
    if (issues.length > 0) return invalid(issues);
    const names = runningModels(context.gateway);
    const running = await Promise.all(names.map((name) => describe(context, name, values.verbose)));
    return jsonText(200, `{"running":[${running.join(",")}],"on_demand":[]}`);
  };
}

export function getModelRoute(context: HttpContext): Route {
  return async ({ query }, [name = ""]) => {
    const { values, issues } = readBooleans(query, ["verbose"]);
    if (issues.length > 0) return invalid(issues);
    if (!runningModels(context.gateway).includes(name)) return modelNotFound(context.gateway, name);
    return jsonText(200, await describe(context, name, values.verbose));
  };
}

export function modelInfoRoute({ gateway }: HttpContext): Route {
  return async (_request, [name = ""]) => {
    try {
      return await infoAnswer(name, await gateway.info(name));
    } catch (error) {
      const isAway = ["MODEL_UNKNOWN", "SERVER_UNREACHABLE", "SERVER_BUSY"] as const;
      if (!isAway.some((code) => GatewayError.is(error, code))) throw error;
      return modelNotAvailable(gateway, name);
    }
  };
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

/** A running model as JSON text. */
async function describe(context: HttpContext, name: string, isVerbose: boolean): Promise<string> {
  const entry = { name, is_running: true };
  if (!isVerbose) return JSON.stringify(entry);
  const details = { ...entry, deployment_type: "static" };
  const runtime = await readInfo(context, name);
  if (runtime === undefined) return JSON.stringify(details);
  const text = JSON.stringify({ ...details, ...described(runtime.value) });
  // The server's own text, because parsing and printing it again would change large and long numbers.
  return `${text.slice(0, -1)},"runtime":${runtime.text}}`;
}

/** What the server says of itself in time and in JSON, else nothing: one broken server never breaks the list. */
async function readInfo({ gateway, options }: HttpContext, name: string): Promise<Info | undefined> {
  const signal = AbortSignal.timeout(options.infoTimeoutMs);
  const reading = gateway.info(name, { signal }).then(parseInfo);
  return beforeAbort(reading, signal).catch(() => undefined);
}

interface Info {
  readonly text: string;
  readonly value: unknown;
}

async function parseInfo({ status = 200, body }: ServerAnswer): Promise<Info | undefined> {
  if (status >= 300) {
    await discard(body);
    return undefined;
  }
  const text = await readText(body, MAX_INFO_BYTES);
  return text === undefined ? undefined : { text, value: JSON.parse(text) };
}

function beforeAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

function described(info: unknown): Record<string, string> {
  if (typeof info !== "object" || info === null) return {};
  const { model_type, model_description } = info as Record<string, unknown>;
  return {
    ...(typeof model_type === "string" && { model_type }),
    ...(typeof model_description === "string" && { description: model_description }),
  };
}
