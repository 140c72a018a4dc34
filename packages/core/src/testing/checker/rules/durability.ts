import { isEnded, type MakeJudge } from "../replay.ts";

/** What was accepted is there, payload included, ends in the end, and leaves nothing behind. */
export const judgeDurability: MakeJudge = (report, facts) => {
  const accepted = new Set<string>();
  const objects = new Set<string>();
  return {
    see(event, world, before) {
      if (event.kind === "object") {
        if (event.change === "put") objects.add(event.key);
        else objects.delete(event.key);
      } else if (event.kind === "row" && before === undefined) {
        const { id, payload } = event.task;
        if (payload.key !== undefined && !objects.has(payload.key)) {
          report("lost-task", "the row names a payload that is not stored", { id });
        }
      } else if (event.kind === "accepted") {
        accepted.add(event.id);
        if (!world.rows.has(event.id))
          report("lost-task", "accepted before it was in the ledger", { id: event.id });
      } else if (event.kind === "hung") report("leaked", `${event.call} on ${event.by} never came back`);
    },
    end() {
      if (facts.end === undefined) return;
      const rows = new Map(facts.end.rows.map((task) => [task.id, task]));
      for (const id of accepted)
        if (!rows.has(id)) report("lost-task", "accepted, and no longer in the ledger", { id });
      for (const task of rows.values()) {
        const { id, state, holder } = task;
        if (!isEnded(task)) report("no-ending", `still ${state} after all had come to rest`, { id });
        if (holder !== undefined) report("leaked", `still held by ${holder}`, { id });
      }
      for (const { server, id } of facts.end.orphanHolds)
        report("leaked", "a hold that nobody looks after", { id, server });
    },
  };
};
