import type { HttpContext } from "../context.ts";
import { ClientGone, type Route, type RoutePattern } from "../exchange.ts";
import { answerToError, isFault } from "../status.ts";
import { getModelRoute, listModelsRoute, modelInfoRoute } from "./models.ts";
import { healthRoute, rootRoute } from "./service.ts";
import { submitRoute } from "./submit.ts";
import { cancelTaskRoute, getTaskRoute, listTasksRoute } from "./tasks.ts";

/** The whole API. Every path is also answered with a slash at its end, or without it. */
export function createRoutes(context: HttpContext): readonly RoutePattern[] {
  const guarded = (route: Route): Route => guard(context, route);
  return [
    { path: "/", methods: { GET: guarded(rootRoute) } },
    { path: "/health", methods: { GET: guarded(healthRoute(context)) } },
    { path: "/models", methods: { GET: guarded(listModelsRoute(context)) } },
    { path: "/models/:model", methods: { GET: guarded(getModelRoute(context)) } },
    { path: "/models/:model/info", methods: { GET: guarded(modelInfoRoute(context)) } },
    { path: "/models/:model/tasks/:operation", methods: { POST: guarded(submitRoute(context)) } },
    { path: "/tasks", methods: { GET: guarded(listTasksRoute) } },
    {
      path: "/tasks/:id",
      methods: { GET: guarded(getTaskRoute(context)), DELETE: guarded(cancelTaskRoute(context)) },
    },
  ];
}

/** A route that always answers. */
function guard({ options }: HttpContext, route: Route): Route {
  return async (request, params) => {
    try {
      return await route(request, params);
    } catch (error) {
      if (isFault(error) && !(error instanceof ClientGone)) options.onError(error);
      return answerToError(error);
    }
  };
}
