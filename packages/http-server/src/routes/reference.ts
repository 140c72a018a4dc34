import type { HttpContext } from "../context.ts";
import type { RequestView, Route } from "../exchange.ts";
import type { Reference } from "../openapi/index.ts";

/** What the API is, for programs and for people. */
export interface ReferenceRoutes {
  readonly document: Route;
  readonly page: Route;
}

/** It is written when somebody asks for it first: most who embed the gateway never do. */
export function referenceRoutes({ gateway, options }: HttpContext): ReferenceRoutes {
  let made: Promise<Reference> | undefined;
  const reference = (): Promise<Reference> => {
    made ??= import("../openapi/index.ts").then(({ createReference }) =>
      createReference(
        { tasks: gateway.operations(), openConfigurations: options.openConfigurations },
        { hasMetrics: options.metrics !== undefined },
      ),
    );
    return made;
  };
  const baseOf = ({ mountPath }: RequestView): string => `${mountPath}${options.basePath}`;
  return {
    document: async (request) => ({
      status: 200,
      headers: { "content-type": "application/json" },
      body: (await reference()).json(baseOf(request)),
    }),
    page: async (request) => {
      const { page, pagePolicy } = await reference();
      const headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": pagePolicy,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
      };
      return { status: 200, headers, body: page(baseOf(request)) };
    },
  };
}
