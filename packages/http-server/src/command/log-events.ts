import type { Gateway } from "@modelgate/core";
import type { Log } from "./log.ts";

/** Writes down what happens to servers and adapters; tasks only for whoever looks closely. */
export function logEvents(events: Gateway["events"], log: Log): void {
  events.on("server:changed", ({ server, state, models }) =>
    log.info("server changed", { server, state, models: models.join(",") }),
  );
  events.on("server:ejected", ({ server, forMs }) => log.warn("server ejected", { server, forMs }));
  events.on("adapter:failed", ({ adapter, operation, code }) =>
    log.warn("adapter failed", { adapter, operation, code }),
  );
  events.on("listener:failed", ({ event }) => log.warn("listener failed", { event }));
  events.on("task:submitted", ({ id, model, operation }) =>
    log.debug("task submitted", { id, model, operation }),
  );
  events.on("task:started", ({ id, attempt, server }) => log.debug("task started", { id, attempt, server }));
  events.on("task:returned", ({ id, attempt, server, code }) =>
    log.debug("task returned", { id, attempt, server, code }),
  );
  events.on("task:ended", ({ id, state, attempt, code }) =>
    log.debug("task ended", { id, state, attempt, code }),
  );
}
