import type { Gateway, GatewayEvents } from "@modelgate/core";
import type { Log } from "./log.ts";

type DeploymentChange = Parameters<GatewayEvents["deployment:changed"]>[0];

const DEPLOYMENT_WORDS: Readonly<Record<DeploymentChange["state"], string>> = {
  waiting: "deployment waits",
  deploying: "server is being deployed",
  ready: "deployed server is ready",
  draining: "deployed server takes nothing new",
  stopping: "deployed server is being removed",
  failed: "deployment failed",
  gone: "deployment is gone",
};

/** Writes down what happens to servers, deployments and adapters; tasks only for whoever looks closely. */
export function logEvents(events: Gateway["events"], log: Log): void {
  events.on("server:changed", ({ server, state, models }) =>
    log.info("server changed", { server, state, models: models.join(",") }),
  );
  events.on("server:ejected", ({ server, forMs }) => log.warn("server ejected", { server, forMs }));
  events.on("deployment:changed", ({ model, generation, kind, state, code }) => {
    const level = state === "failed" ? "error" : code === undefined ? "info" : "warn";
    log[level](DEPLOYMENT_WORDS[state], { model, kind, generation, code });
  });
  events.on("objects:swept", ({ examined, deleted }) => log.info("objects swept", { examined, deleted }));
  const failures = new Repeated();
  events.on("adapter:failed", ({ adapter, operation, code }) => {
    const before = failures.count(`${adapter} ${operation} ${code}`);
    if (before === undefined) return;
    log.warn("adapter failed", { adapter, operation, code, before: before === 0 ? undefined : before });
  });
  events.on("listener:failed", ({ event }) => log.warn("listener failed", { event }));
  events.on("task:submitted", ({ id, model, operation }) =>
    log.debug("task submitted", { task: id, model, operation }),
  );
  events.on("task:started", ({ id, attempt, server }) =>
    log.debug("task started", { task: id, attempt, server }),
  );
  events.on("task:returned", ({ id, attempt, server, code }) =>
    log.debug("task returned", { task: id, attempt, server, code }),
  );
  events.on("task:ended", ({ id, state, attempt, code }) =>
    log.debug("task ended", { task: id, state, attempt, code }),
  );
}

/** A store that is away fails many calls a second; one line in so many milliseconds tells of all that are alike. */
const REPEAT_MS = 10_000;

/** Says when something that happens again and again is worth a line. */
class Repeated {
  readonly #told = new Map<string, { atMs: number; since: number }>();

  /** How often it happened since the last line; `undefined` when it is too early for another. */
  count(what: string): number | undefined {
    const nowMs = performance.now();
    const last = this.#told.get(what);
    if (last !== undefined && nowMs - last.atMs < REPEAT_MS) {
      last.since += 1;
      return undefined;
    }
    this.#told.set(what, { atMs: nowMs, since: 0 });
    return last?.since ?? 0;
  }
}
