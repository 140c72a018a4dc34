import type { TaskRecord } from "@modelgate/core";
import type { HistoryEvent } from "../../../core/src/testing/checker/index.ts";
import type { CallEnding } from "./call-watcher.ts";
import type { ServerNote } from "./model-server.ts";
import type { RowChange } from "./store-watch.ts";

/** One call of a model server by a process of ours, as the network between them saw it. */
export interface CallRecord {
  readonly call: number;
  readonly nonce: string;
  readonly by: string;
  readonly server: string;
  readonly instance: string;
  readonly sentAtMs: number;
  ended?: { readonly atMs: number; readonly ending: CallEnding };
}

/** What was seen from outside, from each side by itself. */
export interface Sightings {
  readonly clients: readonly HistoryEvent[];
  readonly calls: readonly CallRecord[];
  readonly changes: readonly RowChange[];
  /** By the server that wrote them. */
  readonly notes: ReadonlyMap<string, readonly ServerNote[]>;
  /** When connections to each server were broken off. */
  readonly breaks: ReadonlyMap<string, readonly number[]>;
  /** Objects that were there when all had come to rest. */
  readonly keys: readonly string[];
}

type Untimed<E> = E extends unknown ? Omit<E, "atMs"> : never;

/**
 * Events of one millisecond are told in the order in which they can have caused each other: a row is written before
 * what it allows is done, and what was answered came before the row that tells of it.
 */
const ALLOWS = 0;
const HAPPENS = 0.5;
const CONCLUDES = 0.9;

/** The nonce that a client put into the query of its task. */
export function nonceOf(task: Pick<TaskRecord, "query">): string {
  return new URLSearchParams(task.query).get("chaos") ?? "none";
}

/** One history of all sightings, in the form that the checker reads, with the times of one clock. */
export function assembleHistory(sightings: Sightings): readonly HistoryEvent[] {
  const ids = new Map(sightings.changes.map(({ task }) => [nonceOf(task), task.id]));
  const idOf = (nonce: string): string => ids.get(nonce) ?? nonce;
  const told: { readonly order: number; readonly event: HistoryEvent }[] = [];
  const tell = (atMs: number, order: number, event: Untimed<HistoryEvent>): void => {
    told.push({ order: Math.floor(atMs) + order, event: { atMs, ...event } as HistoryEvent });
  };
  for (const key of sightings.keys) tell(0, ALLOWS, { kind: "object", change: "put", key });
  for (const event of sightings.clients) {
    const { atMs, ...rest } = event;
    const isNamed = rest.kind === "offered" || rest.kind === "refused" || rest.kind === "unclear";
    const isUp = rest.kind === "process" || (rest.kind === "server" && rest.isUp);
    tell(atMs, isUp ? ALLOWS : HAPPENS, isNamed ? { ...rest, id: idOf(rest.id) } : rest);
  }
  tellRows(sightings.changes, tell);
  for (const { call, nonce, by, server, instance, sentAtMs, ended } of sightings.calls) {
    const id = idOf(nonce);
    tell(sentAtMs, HAPPENS, { kind: "sent", call, id, by, server, instance });
    if (ended !== undefined)
      tell(ended.atMs, HAPPENS, { kind: "answered", call, id, by, outcome: outcomeOf(ended.ending) });
  }
  for (const { id, by, server, atMs } of unseenSends(sightings)) {
    const call = -1 - told.length;
    tell(atMs, HAPPENS, { kind: "sent", call, id, by, server, instance: server });
    tell(atMs, HAPPENS, { kind: "answered", call, id, by, outcome: "broken:unseen" });
  }
  let executions = 0;
  for (const [server, notes] of sightings.notes) {
    const numbers = new Map<string, number>();
    for (const note of notes) {
      if (note.kind === "begun") {
        executions += 1;
        numbers.set(note.execution, executions);
        const instance = note.execution.slice(0, note.execution.lastIndexOf("/"));
        const about = { id: idOf(note.nonce), server, instance, background: note.background };
        tell(note.atMs, HAPPENS, { kind: "begun", execution: executions, ...about });
      } else if (note.kind === "finished") {
        const execution = numbers.get(note.execution);
        if (execution !== undefined) tell(note.atMs, HAPPENS, { kind: "finished", execution, how: note.how });
      }
    }
  }
  return told.sort((a, b) => a.order - b.order).map(({ event }) => event);
}

function outcomeOf(ending: CallEnding): string {
  if (ending.kind === "broken") return ending.by === "client" ? "aborted" : "broken:reset";
  const { status } = ending;
  if (status === 202) return "accepted";
  if (status === 429 || status === 503) return "refused:busy";
  return status >= 200 && status < 300 ? "done" : "rejected";
}

/** Around a break, what one clock and another process make of the same moment. */
const BREAK_MS = 100;

/**
 * What is written to a connection at the moment in which it is reset is lost before anybody sees it, and its sender
 * cannot know that. So a counted failure without a call is taken for one, if its server's connections broke meanwhile.
 */
function unseenSends({ changes, calls, breaks }: Sightings): {
  readonly id: string;
  readonly by: string;
  readonly server: string;
  readonly atMs: number;
}[] {
  const sent = new Map<string, CallRecord[]>();
  for (const call of calls) sent.set(call.nonce, [...(sent.get(call.nonce) ?? []), call]);
  const grants = new Map<string, RowChange>();
  const before = new Map<string, RowChange>();
  return changes.flatMap((change) => {
    const { task, atMs } = change;
    const grant = grants.get(task.id);
    const last = before.get(task.id);
    before.set(task.id, change);
    const isGrant = grant?.task.attempt !== task.attempt;
    if (isGrant) grants.set(task.id, change);
    if (isGrant || last === undefined || task.failures <= last.task.failures) return [];
    const { holder = "", server = "" } = grant.task;
    const { by } = readHolder(holder);
    const isWithin = (ms: number): boolean => ms > grant.atMs - BREAK_MS && ms < atMs + BREAK_MS;
    const isSeen = sent.get(nonceOf(task))?.some((call) => call.by === by && isWithin(call.sentAtMs));
    if (isSeen === true || !breaks.get(server)?.some(isWithin)) return [];
    // While its holder still wrote of it: at the break itself, it may have been stopped for longer than its lease.
    return [{ id: task.id, by, server, atMs: last.atMs }];
  });
}

/**
 * A trigger cannot tell which call changed a row. `claim` is the cause of which no rule concludes anything; beside it
 * stands what a row itself says of the exchange that changed it: who holds, and that a send was announced.
 */
function tellRows(
  changes: readonly RowChange[],
  tell: (atMs: number, order: number, event: Untimed<HistoryEvent>) => void,
): void {
  const known = new Map<string, { readonly task: TaskRecord; readonly order: number }>();
  const holders = new Map<string, number>();
  for (const { atMs, task } of changes) {
    const before = known.get(task.id);
    const allows = task.holder !== undefined || before === undefined;
    const own = Math.floor(atMs) + (allows ? ALLOWS : CONCLUDES);
    // Of one task the rows keep their order, whatever the millisecond says.
    const order = Math.max(own, before?.order ?? own) - Math.floor(atMs);
    known.set(task.id, { task, order: Math.floor(atMs) + order });
    tell(atMs, order, { kind: "row", cause: "claim", storeMs: atMs, task });
    if (task.holder === undefined) continue;
    const { holder, id, attempt } = task;
    const isAnnounced = task.sentAtMs !== undefined && before?.task.sentAtMs === undefined;
    if (holders.has(holder) && !isAnnounced) continue;
    const sequence = (holders.get(holder) ?? 0) + 1;
    holders.set(holder, sequence);
    const { runner, incarnation, by } = readHolder(holder);
    const { server = "" } = task;
    tell(atMs, order, {
      ...{ kind: "exchange", by, runner, incarnation, sequence, storeMs: atMs },
      ...{ renew: [], release: [], want: [], grants: [] },
      settle: isAnnounced ? [{ kind: "sent", id, attempt, server }] : [],
      settled: isAnnounced ? [{ outcome: "accepted" }] : [],
    });
  }
}

/** A holder is `NAME-INCARNATION/INCARNATION`; each start of a process has a name of its own here. */
function readHolder(holder: string): {
  readonly runner: string;
  readonly incarnation: string;
  readonly by: string;
} {
  const [runner = "", incarnation = ""] = holder.split("/");
  return { runner, incarnation, by: runner.slice(0, -incarnation.length - 1) };
}
