import { type Context, Hono } from "hono";
import { basePath } from "hono/route";
import { negotiated } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { ResponseView } from "../exchange.ts";
import { discard } from "../read-stream.ts";
import { tellRefusal } from "../requests/answered-request.ts";
import { createRouter } from "../router.ts";
import { createRoutes } from "../routes/index.ts";
import { answerToError } from "../status.ts";
import { type FetchEnvironment, pathOf, webRequestView } from "./web-request.ts";
import { webResponse } from "./web-response.ts";

interface Environment {
  Bindings: FetchEnvironment;
}

export type HonoApp = Hono<Environment>;

/** The routes as a Hono app. It finds them by the same router as every other host, wherever it is mounted. */
export function createHonoApp(context: HttpContext): HonoApp {
  const { options } = context;
  const find = createRouter(createRoutes(context), options.basePath);

  async function answer({ req, env }: Context<Environment>, mounted: string): Promise<Response> {
    const { method, raw } = req;
    const path = pathOf(raw.url).slice(mounted.length);
    const request = webRequestView(raw, env ?? {}, path);
    const found = find(method, path === "" ? "/" : path, request.query);
    let view: ResponseView;
    if (found.route === undefined) {
      options.metrics?.observe(undefined, method, found.refusal.status, 0);
      view = negotiated(found.refusal, request.header("accept"));
      if (options.onRequest !== undefined) view = tellRefusal(request, view, options.onRequest);
    } else view = await found.route(request, found.params);
    const isHead = method === "HEAD";
    if (isHead && typeof view.body !== "string" && !(view.body instanceof Uint8Array))
      await discard(view.body);
    return webResponse(view, isHead);
  }

  const app: HonoApp = new Hono();
  app.all("*", (context) => answer(context, mountedAt(context)));
  app.onError((error) => {
    options.onError(error);
    return webResponse(answerToError(error));
  });
  return app;
}

/** Where another app has this one by `route`. */
function mountedAt(context: Context<Environment>): string {
  return basePath(context).replace(/\/$/, "");
}
