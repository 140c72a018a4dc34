import { negotiated } from "../answers.ts";
import type { HttpContext } from "../context.ts";
import type { Route, RoutePattern } from "../exchange.ts";
import { metricsRoute } from "../metrics/metrics-route.ts";
import { observeRoutes } from "../metrics/observe-routes.ts";
import { tellRoutes } from "../requests/answered-request.ts";
import { answerToError, isFault } from "../status.ts";
import { deploymentRoute, deployRoute, removeRoute } from "./deployments.ts";
import { modelInfoRoute } from "./deployments-info.ts";
import { listDeploymentsRoute } from "./list-deployments.ts";
import { listTasksRoute } from "./list-tasks.ts";
import { createModelReaders } from "./model-listing.ts";
import { getModelRoute, listModelsRoute } from "./models.ts";
import {
  type AdminRoute,
  adminRoute,
  configurationHistory,
  createConfiguration,
  disableConfiguration,
  enableConfiguration,
  getConfiguration,
  listConfigurations,
  updateConfiguration,
} from "./on-demand.ts";
import { passRoute } from "./pass.ts";
import { referenceRoutes } from "./reference.ts";
import { healthRoute, rootRoute } from "./service.ts";
import { submitRoute } from "./submit.ts";
import { cancelTaskRoute, getTaskRoute, patchTaskRoute, retryTaskRoute } from "./tasks.ts";

/** The whole API, the hottest first. Every path is also answered with a slash at its end, or without it. */
export function createRoutes(context: HttpContext): readonly RoutePattern[] {
  const guarded = (route: Route): Route => guard(context, route);
  const readers = createModelReaders(context);
  const reference = referenceRoutes(context);
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
    { path: "/models", methods: { GET: guarded(listModelsRoute(context, readers)) } },
    {
      path: "/models/:model",
      methods: {
        GET: guarded(getModelRoute(context, readers)),
        POST: guarded(deployRoute(context)),
        DELETE: guarded(removeRoute(context)),
      },
    },
    { path: "/models/:model/info", methods: { GET: guarded(modelInfoRoute(context)) } },
    { path: "/models/:model/deployment", methods: { GET: guarded(deploymentRoute(context)) } },
    { path: "/deployments", methods: { GET: guarded(listDeploymentsRoute(context)) } },
    ...adminRoutes(context, guarded),
    { path: "/openapi.json", methods: { GET: guarded(reference.document) } },
    { path: "/docs", methods: { GET: guarded(reference.page) } },
  ];
  const { metrics, onRequest } = context.options;
  const told = (all: readonly RoutePattern[]): readonly RoutePattern[] =>
    onRequest === undefined ? all : tellRoutes(all, context.gateway, onRequest);
  // What no other route has; the last, so that all of them win.
  const passing: RoutePattern = { path: "/models/:model/*", methods: { "*": guarded(passRoute(context)) } };
  if (metrics === undefined) return told([...routes, passing]);
  routes.push({ path: "/metrics", methods: { GET: guarded(metricsRoute(metrics)) } }, passing);
  return told(observeRoutes(routes, metrics));
}

function adminRoutes(context: HttpContext, guarded: (route: Route) => Route): readonly RoutePattern[] {
  const admins = (route: AdminRoute): Route => guarded(adminRoute(context, route));
  return [
    {
      path: "/admin/on-demand",
      methods: { GET: admins(listConfigurations), POST: admins(createConfiguration) },
    },
    {
      path: "/admin/on-demand/:model",
      methods: {
        GET: admins(getConfiguration),
        PUT: admins(updateConfiguration),
        DELETE: admins(disableConfiguration),
      },
    },
    { path: "/admin/on-demand/:model/history", methods: { GET: admins(configurationHistory) } },
    { path: "/admin/on-demand/:config/enable", methods: { POST: admins(enableConfiguration) } },
  ];
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
