import type { MakeJudge } from "../replay.ts";
import { isStepExcused } from "./fencing.ts";

/** What was cancelled while it waited never runs. */
export const judgeCancelling: MakeJudge = (report) => {
  const cancelled = new Set<string>();
  return {
    see(event, world, before) {
      if (event.kind === "row" && event.task.state === "cancelled" && before?.state === "pending")
        cancelled.add(event.task.id);
      if (event.kind !== "sent" || !cancelled.has(event.id) || isStepExcused(world, event.atMs)) return;
      report("ran-after-cancel", `${event.by} sent it to ${event.server} after it had been cancelled`, {
        id: event.id,
      });
    },
  };
};
