import { createMetrics } from "../../src/index.ts";
import { type HttpServer, serveHttp } from "../../src/node.ts";
import { DeploymentsDouble } from "../support/deployments-double.ts";
import { startModelServer } from "../support/model-server.ts";
import { startGateway } from "../support/real-gateway.ts";

export const adminKey = "the-key-of-the-admins";

export interface OpenGateway {
  readonly url: string;
  readonly errors: readonly unknown[];
  close(): Promise<void>;
}

/** A gateway with all that it can have, in front of a model server. Only what engines do is decided here. */
export async function openGateway(basePath = ""): Promise<OpenGateway> {
  const model = await startModelServer();
  const real = await startGateway({ nlp: model.url });
  const deployments = new DeploymentsDouble();
  const gateway = new Proxy(real.gateway, {
    get(target, key) {
      if (key === "deployments") return deployments;
      const value = target[key as "get"];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const errors: unknown[] = [];
  const metrics = createMetrics(gateway);
  const server: HttpServer = await serveHttp(gateway, {
    ...{ port: 0, adminKey, basePath, metrics, maxWaitMs: 1_000 },
    onError: (error) => errors.push(error),
  });
  return {
    url: `${server.url}${basePath}`,
    errors,
    async close() {
      await server.close({ drainMs: 0 });
      await real.close();
      await model.close();
    },
  };
}
