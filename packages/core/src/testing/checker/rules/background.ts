import type { TaskRecord } from "../../../contracts/task.ts";
import type { HistoryEvent } from "../history.ts";
import type { MakeJudge, World } from "../replay.ts";

type Granting = HistoryEvent & { kind: "exchange" | "claim" };

/** One piece of background work per server, by the server's own account and by what was granted. */
export const judgeBackground: MakeJudge = (report) => {
  const active = new Map<number, { id: string; place: string }>();
  const holds = new Map<string, { id: string; attempt: number }>();
  /** Rows that the call under way took from a holder, as they were before. */
  let taken: TaskRecord[] = [];

  const release = (server: string | undefined, id: string, attempt?: number): void => {
    if (server === undefined) return;
    const hold = holds.get(server);
    if (hold?.id === id && (attempt === undefined || hold.attempt === attempt)) holds.delete(server);
  };

  const seeExchange = (event: HistoryEvent & { kind: "exchange" }, world: World): void => {
    for (const before of taken) {
      // A grant that was never acknowledged goes back with its hold; no settlement tells of it.
      const isSettled = event.settle.some((item) => item.id === before.id && item.attempt === before.attempt);
      if (
        !isSettled &&
        before.sentAtMs === undefined &&
        before.holder === `${event.runner}/${event.incarnation}`
      ) {
        release(before.server, before.id, before.attempt);
      }
    }
    for (const item of event.settle) {
      if (!("releaseHold" in item) || !item.releaseHold) continue;
      for (const [server, hold] of holds)
        if (hold.id === item.id && hold.attempt <= item.attempt) release(server, item.id);
    }
    for (const { server, id, attempt } of event.release) {
      const task = world.rows.get(id);
      const isGrantedNow = event.grants.some((grant) => grant.id === id);
      const isAtWork = (task?.state === "scheduled" || task?.state === "running") && task.server === server;
      if (isGrantedNow || !isAtWork) release(server, id, attempt);
    }
  };

  const seeGrants = (event: Granting, world: World): void => {
    for (const { kind, id, attempt, server } of event.grants) {
      if (kind !== "run" || world.rows.get(id)?.background !== true) continue;
      const hold = holds.get(server);
      if (hold?.id === id && hold.attempt === attempt) continue;
      if (hold !== undefined) {
        report(
          "hold-broken",
          `granted attempt ${attempt} of it; ${hold.id}/${hold.attempt} holds the server`,
          { id, server },
        );
      }
      holds.set(server, { id, attempt });
    }
  };

  return {
    see(event, world, before) {
      switch (event.kind) {
        case "row":
          if (before?.holder !== undefined && event.task.state === "pending" && event.task.background)
            taken.push(before);
          if (event.cause !== "exchange") taken = [];
          break;
        case "exchange":
          seeExchange(event, world);
          seeGrants(event, world);
          taken = [];
          break;
        case "claim":
          seeGrants(event, world);
          break;
        case "begun": {
          if (!event.background) break;
          const place = `${event.server} (${event.instance})`;
          for (const other of active.values()) {
            if (other.place === place)
              report("two-runs", `began on ${place} while ${other.id} runs there`, event);
          }
          active.set(event.execution, { id: event.id, place });
          break;
        }
        case "finished":
          active.delete(event.execution);
          break;
      }
    },
  };
};
