import type { TaskRecord } from "../../../contracts/task.ts";
import type { HistoryEvent } from "../history.ts";
import type { MakeJudge, World } from "../replay.ts";
import { isStepExcused } from "./fencing.ts";

function takesSlot(task: TaskRecord): boolean {
  return task.state === "scheduled" && task.holder !== undefined && !task.recovering && !task.background;
}

export function slotsUsed(world: World): Map<string, number> {
  const used = new Map<string, number>();
  for (const task of world.rows.values()) {
    if (takesSlot(task) && task.server !== undefined) used.set(task.server, (used.get(task.server) ?? 0) + 1);
  }
  return used;
}

function limitAsked(
  event: HistoryEvent & { kind: "exchange" | "claim" },
  server: string,
  id: string,
): number {
  if (event.kind === "exchange")
    return event.want.find((want) => want.server === server)?.limit ?? Number.POSITIVE_INFINITY;
  const claim = event.claims.find((one) => one.id === id);
  return claim?.servers.find((one) => one.server === server)?.limit ?? Number.POSITIVE_INFINITY;
}

/** The slots of a server are never overdrawn, over all processes. */
export const judgeSlots: MakeJudge = (report, facts) => {
  const seen = new Set<string>();
  const calls = new Map<number, { id: string; by: string; server: string; background: boolean }>();
  return {
    see(event, world) {
      switch (event.kind) {
        case "exchange":
        case "claim": {
          if (event.grants.length === 0) break;
          const key = `${event.runner}/${event.incarnation}/${event.sequence}`;
          // A repeated exchange gives what it gave; nothing is granted anew.
          if (event.kind === "exchange" && seen.has(key)) break;
          seen.add(key);
          const used = slotsUsed(world);
          for (const { kind, id, server } of event.grants) {
            const task = world.rows.get(id);
            if (kind !== "run" || task === undefined || !takesSlot(task)) continue;
            const limit = Math.min(
              limitAsked(event, server, id),
              facts.limits[server] ?? Number.POSITIVE_INFINITY,
            );
            const count = used.get(server) ?? 0;
            if (count > limit)
              report("over-limit", `${count} attempts hold a slot; the limit is ${limit}`, { id, server });
          }
          break;
        }
        case "sent": {
          const { id, call, by, server, atMs } = event;
          const background = world.rows.get(id)?.background === true;
          calls.set(call, { id, by, server, background });
          if (background || isStepExcused(world, atMs)) break;
          let count = 0;
          for (const one of calls.values()) {
            // What was cancelled was broken off; over a slow connection its server hears of that later.
            if (world.rows.get(one.id)?.state === "cancelled") continue;
            const process = world.processes.get(one.by);
            if (one.server === server && !one.background && process?.isAlive === true && !process.isPaused)
              count += 1;
          }
          const limit = facts.limits[server] ?? Number.POSITIVE_INFINITY;
          if (count > limit)
            report("calls-over-limit", `${count} calls of live processes; the limit is ${limit}`, {
              id,
              server,
            });
          break;
        }
        case "answered":
          calls.delete(event.call);
          break;
        case "process":
          if (event.change === "crashed")
            for (const [call, { by }] of calls) if (by === event.by) calls.delete(call);
          break;
      }
    },
  };
};
