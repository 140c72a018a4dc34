import { type Context, Hono } from "hono";
import { methodNotAllowed, notFound } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { ResponseView, RoutePattern } from "../exchange.ts";
import { discard } from "../read-stream.ts";
import { answerToError } from "../status.ts";
import { type FetchEnvironment, webRequestView } from "./web-request.ts";
import { webResponse } from "./web-response.ts";

interface Environment {
  Bindings: FetchEnvironment;
}

/** The routes, mounted in a Hono app. */
export function createHonoApp(
  { options }: Pick<HttpContext, "options">,
  routes: readonly RoutePattern[],
): Hono<Environment> {
  const app = new Hono<Environment>();
  for (const pattern of routes) {
    const path = `${options.basePath}${pattern.path}`;
    const bare = path.replace(/(.)\/$/, "$1");
    for (const form of new Set([bare, bare.replace(/\/?$/, "/")])) {
      app.all(form, async (context) => webResponse(await answer(context, pattern)));
    }
  }
  app.notFound(() => webResponse(notFound));
  app.onError((error) => {
    options.onError(error);
    return webResponse(answerToError(error));
  });
  return app;
}

async function answer(context: Context<Environment>, pattern: RoutePattern): Promise<ResponseView> {
  const { method } = context.req;
  const route = pattern.methods[(method === "HEAD" ? "GET" : method) as "GET"];
  if (route === undefined) return methodNotAllowed(Object.keys(pattern.methods));
  const params = parameterNames(pattern.path).map((name) => context.req.param(name) ?? "");
  const view = await route(webRequestView(context.req.raw, context.env ?? {}), params);
  if (method !== "HEAD" || typeof view.body === "string" || view.body instanceof Uint8Array) return view;
  // Hono leaves out the body of an answer to HEAD, without letting go of what it comes from.
  await discard(view.body);
  return { ...view, body: "" };
}

function parameterNames(path: string): string[] {
  return path
    .split("/")
    .filter((part) => part.startsWith(":"))
    .map((part) => part.slice(1));
}
