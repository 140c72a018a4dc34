import type { TaskRecord } from "../../../contracts/task.ts";
import type { HistoryEvent } from "../history.ts";
import { isEnded, type MakeJudge, type World } from "../replay.ts";

/** Leases for which a step of the store's clock excuses what it brought about. */
const STEP_EXCUSE_LEASES = 3;

export function isStepExcused(world: World, atMs: number): boolean {
  return atMs - world.storeSteppedAtMs < STEP_EXCUSE_LEASES * world.facts.leaseMs;
}

/** One attempt holds a task at a time, and only that one has a say in it. */
export const judgeFencing: MakeJudge = (report) => {
  const holders = new Map<string, string>();
  /** Settlements that were accepted, by task, attempt and kind, with the row that they left. */
  const accepted = new Map<string, TaskRecord>();
  /** What the rows were before the call that the next store event tells of. */
  let base = new Map<string, TaskRecord | undefined>();
  let extended: { id: string; attempt: number }[] = [];

  const seeRow = (task: TaskRecord, before: TaskRecord | undefined): void => {
    const { id, attempt, holder } = task;
    if (!base.has(id)) base.set(id, before);
    const last = before?.attempt ?? 0;
    if (attempt !== last && attempt !== last + 1)
      report("bad-mint", `attempt ${attempt} followed ${last}`, { id });
    if (attempt !== last && holder === undefined)
      report("bad-mint", `attempt ${attempt} has no holder`, { id });
    if (holder !== undefined) {
      const known = holders.get(`${id}/${attempt}`);
      if (known === undefined) holders.set(`${id}/${attempt}`, holder);
      else if (known !== holder)
        report("bad-mint", `attempt ${attempt} was granted to ${known} and to ${holder}`, { id });
      if (attempt === last && before?.holder === undefined)
        report("bad-mint", `attempt ${attempt} came back to life`, { id });
    }
    if (attempt === last && holder !== undefined && before?.leaseExpiresAtMs !== task.leaseExpiresAtMs) {
      extended.push({ id, attempt });
    }
  };

  const seeExchange = (event: HistoryEvent & { kind: "exchange" }, world: World): void => {
    const runner = `${event.runner}/${event.incarnation}`;
    for (const { id, attempt } of extended) {
      if (!event.renew.some((item) => item.id === id && item.attempt === attempt)) {
        report("lease-kept-for-others", `the lease of attempt ${attempt} grew though nobody renewed it`, {
          id,
        });
      }
    }
    for (const [at, item] of event.settle.entries()) {
      const { id, attempt, kind } = item;
      const row = base.has(id) ? base.get(id) : world.rows.get(id);
      const outcome = event.settled[at]?.outcome;
      const isTaken = outcome === "accepted" || outcome === "cancel_requested";
      if (row === undefined) continue;
      if (isTaken && row.attempt !== attempt) {
        report(
          "outcome-by-stale-attempt",
          `${kind} of attempt ${attempt} was taken; ${row.attempt} is the last`,
          { id },
        );
      } else if (isTaken && row.holder !== undefined && row.holder !== runner) {
        report(
          "outcome-by-stale-attempt",
          `${kind} of ${runner} was taken; ${row.holder} holds attempt ${attempt}`,
          { id },
        );
      }
      const key = `${id}/${attempt}/${kind}`;
      const since = accepted.get(key);
      if (outcome === "stale" && since !== undefined && since === row && row.attempt === attempt) {
        report("settle-not-idempotent", `${kind} of attempt ${attempt} was accepted, and then stale`, { id });
      }
      if (isTaken) accepted.set(key, world.rows.get(id) ?? row);
    }
    const endings = [...base].filter(([id, before]) => {
      const task = world.rows.get(id);
      return (
        task !== undefined &&
        isEnded(task) &&
        task.endedBy === "attempt" &&
        !(before !== undefined && isEnded(before))
      );
    });
    for (const [id, before] of endings) {
      const isSettled = event.settle.some((item) => item.id === id && item.attempt === before?.attempt);
      if (!isSettled)
        report("outcome-by-stale-attempt", "it ended by an attempt that did not settle it", { id });
    }
  };

  const seeSent = (event: HistoryEvent & { kind: "sent" }, world: World): void => {
    const { id, by, atMs } = event;
    const row = world.rows.get(id);
    const lease = world.leases.get(id);
    if (isStepExcused(world, atMs)) return;
    const holder = row?.holder === undefined ? undefined : world.holders.get(row.holder);
    if (holder !== by) report("sent-without-lease", `${by} sent it; ${holder ?? "nobody"} holds it`, { id });
    else if (lease !== undefined && lease.endsAtMs < atMs) {
      report(
        "sent-without-lease",
        `${by} sent it ${Math.round(atMs - lease.endsAtMs)} ms after its lease had ended`,
        { id },
      );
    }
  };

  return {
    see(event, world, before) {
      if (event.kind === "row") {
        seeRow(event.task, before);
        if (event.cause === "exchange") return;
        if (extended.length > 0 && event.cause !== "claim") {
          report("lease-kept-for-others", `a lease grew by a ${event.cause}`, { id: event.task.id });
        }
      } else if (event.kind === "exchange") seeExchange(event, world);
      else if (event.kind === "sent") {
        seeSent(event, world);
        return;
      } else return;
      base = new Map();
      extended = [];
    },
  };
};
