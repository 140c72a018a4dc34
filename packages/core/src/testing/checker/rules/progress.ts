import type { HistoryEvent } from "../history.ts";
import type { MakeJudge, World } from "../replay.ts";
import { slotsUsed } from "./slots.ts";

/** Exchanges without anything in them that one process may make in one second. */
const EMPTY_PER_SECOND = 60;

/** While nothing fails, a lane that has a healthy, free server gets on, whatever the other lanes do. */
export const judgeProgress: MakeJudge = (report, facts) => {
  const since = new Map<string, number>();
  const empty = new Map<string, number[]>();

  const countEmpty = (event: HistoryEvent & { kind: "exchange" }): void => {
    const { by, atMs, settle, renew, release, grants } = event;
    if (settle.length + renew.length + release.length + grants.length > 0) return;
    const times = [...(empty.get(by) ?? []).slice(-EMPTY_PER_SECOND), atMs];
    empty.set(by, times);
    const [first = atMs] = times;
    if (times.length <= EMPTY_PER_SECOND || atMs - first > 1_000) return;
    report("spins", `${by} made ${times.length} empty exchanges in ${Math.round(atMs - first)} ms`);
    empty.set(by, []);
  };

  const look = (world: World, atMs: number, storeMs: number): void => {
    const used = slotsUsed(world);
    const ready = new Set<string>();
    for (const task of world.rows.values()) {
      if (task.state === "pending" && !task.background && (task.notBeforeAtMs ?? 0) <= storeMs)
        ready.add(task.model);
    }
    for (const model of since.keys()) if (!ready.has(model)) since.delete(model);
    for (const model of ready) {
      const isServed = Object.entries(facts.models).some(([server, models]) => {
        if (!models.includes(model) || !world.instances.has(server) || world.dead.includes(server))
          return false;
        return (used.get(server) ?? 0) < (facts.limits[server] ?? 1);
      });
      const startMs = since.get(model);
      if (!isServed) since.delete(model);
      else if (startMs === undefined) since.set(model, atMs);
      else if (atMs - startMs > facts.progressMs) {
        report(
          "lane-blocked",
          `tasks of ${model} wait beside a free server for ${Math.round(atMs - startMs)} ms`,
        );
        since.set(model, Number.POSITIVE_INFINITY);
      }
    }
  };

  return {
    see(event, world) {
      if (event.kind === "phase") since.clear();
      if (event.kind !== "exchange" && event.kind !== "claim") return;
      if (world.phase !== "calm" && world.phase !== "healed") return;
      if (event.kind === "exchange") countEmpty(event);
      // What a claim brings belongs to the exchange before it.
      if (event.kind === "claim" && event.grants.length > 0) empty.get(event.by)?.pop();
      for (const { id } of event.grants) {
        const model = world.rows.get(id)?.model;
        if (model !== undefined) since.delete(model);
      }
      look(world, event.atMs, event.storeMs);
    },
  };
};
