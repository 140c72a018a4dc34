import { setTimeout as sleep } from "node:timers/promises";
import type { GatewayEvents } from "@modelgate/core";
import { memoryLedger } from "@modelgate/core/memory";
import { createMetrics, timeLedger } from "../../src/index.ts";
import { serveHttp } from "../../src/node.ts";
import { DeploymentsDouble } from "../support/deployments-double.ts";
import { call } from "../support/http-client.ts";
import { startModelServer } from "../support/model-server.ts";
import { startGateway } from "../support/real-gateway.ts";

type Emit = <E extends keyof GatewayEvents>(event: E, ...args: Parameters<GatewayEvents[E]>) => void;

export interface WatchedGateway {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Between two rounds of work; a range of five seconds then holds many of each kind. */
const ROUND_MS = 150;

/**
 * A gateway with metrics that is at work until it is closed: tasks that succeed, fail, are handed back and wait, requests
 * of all kinds. There is no engine here, so that the test itself tells of deployments.
 */
export async function startWatchedGateway(): Promise<WatchedGateway> {
  const [model, busy, free] = await Promise.all([startModelServer(), startModelServer(), startModelServer()]);
  const servers = { nlp: model.url, busy: busy.url, free: free.url };
  const ledger = timeLedger(memoryLedger());
  const real = await startGateway(servers, { ledger, defaultLimit: 2 });
  const deployments = new DeploymentsDouble();
  const gateway = new Proxy(real.gateway, {
    get(target, name) {
      if (name === "deployments") return deployments;
      const found: unknown = Reflect.get(target, name);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
  const metrics = createMetrics(gateway, { ledger, role: "serve", dataDir: "." });
  const server = await serveHttp(gateway, { port: 0, metrics });
  const emitter = real.gateway.events as unknown as { emit: Emit };
  const emit = emitter.emit.bind(emitter) as Emit;

  const submit = (to: string, body: string) =>
    call(server.url, `/models/${to}/tasks/process`, {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body,
    });

  async function round(count: number): Promise<void> {
    // More than there are slots for, so that something waits whenever somebody looks.
    for (const text of ["a text", "status:422", "delay:400", "delay:400"]) await submit("nlp", text);
    await submit("busy", "status:503");
    await call(server.url, "/models/free/v1/embeddings", { method: "POST", body: "a text" });
    const names = { model: "umls", generation: `g-${count}`, kind: "auto" } as const;
    for (const state of ["deploying", "ready"] as const) emit("deployment:changed", { ...names, state });
    const removed = { why: "idle", idleMs: 60_000 } as const;
    emit("deployment:changed", { ...names, state: "gone", removed });
    const failed = {
      ...names,
      generation: `f-${count}`,
      state: "failed",
      code: "DEPLOYMENT_FAILED",
    } as const;
    emit("deployment:changed", failed);
    metrics.failed("ledger", "exchange", "STORE_UNAVAILABLE");
  }

  let isOver = false;
  async function work(): Promise<void> {
    await call(server.url, "/models/umls", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model_uri: "models:/umls/3" }),
    });
    for (let count = 0; !isOver; count += 1) {
      await round(count);
      await sleep(ROUND_MS);
    }
  }
  const working = work();
  return {
    url: server.url,
    port: server.port,
    async close() {
      isOver = true;
      await working;
      await server.close({ drainMs: 0 });
      metrics.close();
      await real.close();
      await Promise.all([model.close(), busy.close(), free.close()]);
    },
  };
}
