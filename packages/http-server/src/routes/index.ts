import { negotiated } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { Route, RoutePattern } from "../exchange.ts";
import { metricsRoute } from "../metrics/metrics-route.ts";
import { observeRoutes } from "../metrics/observe-routes.ts";
import { answerToError, isFault } from "../status.ts";
import { listTasksRoute } from "./list-tasks.ts";
import { getModelRoute, listModelsRoute, modelInfoRoute } from "./models.ts";
import { healthRoute, rootRoute } from "./service.ts";
import { submitRoute } from "./submit.ts";
import { cancelTaskRoute, getTaskRoute, patchTaskRoute, retryTaskRoute } from "./tasks.ts";

/** The whole API, the hottest first. Every path is also answered with a slash at its end, or without it. */
export function createRoutes(context: HttpContext): readonly RoutePattern[] {
  const guarded = (route: Route): Route => guard(context, route);
  const routes: RoutePattern[] = [
    { path: "/models/:model/tasks/:task", methods: { POST: guarded(submitRoute(context)) } },
    {
      path: "/tasks/:id",
      methods: {
        GET: guarded(getTaskRoute(context)),
        PATCH: guarded(patchTaskRoute(context)),
        DELETE: guarded(cancelTaskRoute(context)),
      },
    },
    { path: "/tasks/:id/retry", methods: { POST: guarded(retryTaskRoute(context)) } },
    { path: "/tasks", methods: { GET: guarded(listTasksRoute(context)) } },
    { path: "/", methods: { GET: guarded(rootRoute) } },
    { path: "/health", methods: { GET: guarded(healthRoute(context)) } },
    { path: "/models", methods: { GET: guarded(listModelsRoute(context)) } },
    { path: "/models/:model", methods: { GET: guarded(getModelRoute(context)) } },
    { path: "/models/:model/info", methods: { GET: guarded(modelInfoRoute(context)) } },
  ];
  const { metrics } = context.options;
  if (metrics === undefined) return routes;
  routes.push({ path: "/metrics", methods: { GET: guarded(metricsRoute(metrics)) } });
  return observeRoutes(routes, metrics);
}

/** A route that always answers, and answers errors in the form that was asked for. */
function guard({ options }: HttpContext, route: Route): Route {
  return async (request, params) => {
    try {
      const answer = await route(request, params);
      return answer.problem === undefined ? answer : negotiated(answer, request.header("accept"));
    } catch (error) {
      if (isFault(error)) options.onError(error);
      return negotiated(answerToError(error), request.header("accept"));
    }
  };
}
