import type { TaskRecord } from "../../../contracts/task.ts";
import type { HistoryEvent } from "../history.ts";
import type { MakeJudge, World } from "../replay.ts";
import { slotsUsed } from "./slots.ts";

/** The lowest rank goes first among those that can go to the same server, and no slot is left idle. */
export const judgeOrder: MakeJudge = (report, facts) => {
  const seen = new Set<string>();
  const rankOf = (task: TaskRecord): number => task.createdAtMs - task.priority * facts.boostMs;
  const goesBefore = (a: TaskRecord, b: TaskRecord): boolean =>
    rankOf(a) < rankOf(b) || (rankOf(a) === rankOf(b) && a.id < b.id);

  const seeGrants = (event: HistoryEvent & { kind: "exchange" }, world: World): void => {
    const waiting = [...world.rows.values()].filter((task) => {
      return task.state === "pending" && (task.notBeforeAtMs ?? 0) <= event.storeMs;
    });
    if (waiting.length === 0) return;
    for (const { kind, id, server } of event.grants) {
      const task = world.rows.get(id);
      const models = event.want.find((want) => want.server === server)?.models;
      if (kind !== "run" || task === undefined || models === undefined) continue;
      const passed = waiting.find((other) => {
        return (
          other.background === task.background && models.includes(other.model) && goesBefore(other, task)
        );
      });
      if (passed !== undefined)
        report("passed-over", `granted on ${server} before ${passed.id}, which waits`, { id, server });
    }
    const used = slotsUsed(world);
    for (const want of event.want) {
      const granted = event.grants.filter(
        (grant) => grant.server === want.server && world.rows.get(grant.id)?.background === false,
      ).length;
      if (granted >= want.max || (used.get(want.server) ?? 0) >= want.limit) continue;
      const left = waiting.find((task) => !task.background && want.models.includes(task.model));
      if (left !== undefined)
        report("slot-left-idle", `it waits beside a free slot on ${want.server}`, {
          id: left.id,
          server: want.server,
        });
    }
  };

  return {
    see(event, world, before) {
      if (event.kind === "row") {
        const { task } = event;
        const isSet = before === undefined || before.rank !== task.rank || before.priority !== task.priority;
        if (isSet && task.rank !== rankOf(task)) {
          report("wrong-rank", `the rank is ${task.rank}, not ${rankOf(task)}`, { id: task.id });
        }
      } else if (event.kind === "exchange" && facts.order === "exact") {
        const key = `${event.runner}/${event.incarnation}/${event.sequence}`;
        if (!seen.has(key)) seeGrants(event, world);
        seen.add(key);
      }
    },
  };
};
