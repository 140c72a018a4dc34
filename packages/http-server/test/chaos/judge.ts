import type { TaskRecord } from "@modelgate/core";
import { printTimeline, sliceFor } from "../../../core/sim/timeline.ts";
import {
  checkHistory,
  type HistoryEvent,
  type HistoryFacts,
} from "../../../core/src/testing/checker/index.ts";
import { nonceOf } from "./assemble-history.ts";

export interface Judgement {
  /** Promises that were broken, each in a line. */
  readonly violations: readonly string[];
  /** What led to the first violations. */
  readonly stories: readonly string[];
  /** How many tasks may go on, because their sends are still looked into. */
  readonly looksInto: number;
}

const STORIES = 5;
const STORY_EVENTS = 60;

/**
 * For so long somebody looks into a send of a training that may or may not have arrived: the time limit of the request,
 * half a minute in which no server knows of it, and what the pauses between two looks add.
 */
const LOOKING_MS = 180_000;

/**
 * Background tasks whose sends were unclear, and into which their holders have not looked long enough at the end; with
 * those that wait for a server, if all of them are held by such tasks.
 */
export function stillLookedInto(
  history: readonly HistoryEvent[],
  rows: readonly TaskRecord[],
  servers: readonly string[],
): ReadonlySet<string> {
  const open = rows.filter(
    ({ background, state, sentAtMs }) => background && state === "scheduled" && sentAtMs !== undefined,
  );
  const ids = new Set(open.map(({ id }) => id));
  const since = new Map<string, { readonly attempt: number; readonly atMs: number }>();
  for (const event of history) {
    if (event.kind !== "row" || !ids.has(event.task.id)) continue;
    const { id, attempt } = event.task;
    if (since.get(id)?.attempt !== attempt) since.set(id, { attempt, atMs: event.atMs });
  }
  const endMs = history.at(-1)?.atMs ?? 0;
  const looked = new Set([...since].filter(([, { atMs }]) => endMs - atMs < LOOKING_MS).map(([id]) => id));
  const held = new Set(open.filter(({ id }) => looked.has(id)).map(({ server }) => server));
  if (servers.every((server) => held.has(server))) {
    for (const { id, background, state } of rows) if (background && state === "pending") looked.add(id);
  }
  return looked;
}

/** Holds the history against what must always hold. Tasks of `excused` need not have ended. */
export function judgeHistory(
  history: readonly HistoryEvent[],
  facts: HistoryFacts,
  rows: readonly TaskRecord[],
  excused: ReadonlySet<string> = new Set(),
): Judgement {
  const broken = checkHistory(history, facts).filter(
    ({ rule, id }) => !((rule === "no-ending" || rule === "leaked") && id !== undefined && excused.has(id)),
  );
  const violations = broken.map(({ rule, message, id, server }) => {
    const about = [id, server].filter((part) => part !== undefined).join(" on ");
    return `${rule}${about === "" ? "" : ` (${about})`}: ${message}`;
  });
  return {
    looksInto: excused.size,
    violations: [...violations, ...twoOfOne(rows)],
    stories: broken
      .slice(0, STORIES)
      .map(
        (violation, at) => `${violations[at]}\n${printTimeline(sliceFor(history, violation, STORY_EVENTS))}`,
      ),
  };
}

/** Each request has a nonce of its own, and an idempotency key; a second task of it was one too many. */
function twoOfOne(rows: readonly TaskRecord[]): string[] {
  const first = new Map<string, string>();
  return rows.flatMap((task) => {
    const nonce = nonceOf(task);
    const other = first.get(nonce);
    first.set(nonce, task.id);
    return other === undefined ? [] : [`two tasks were made of one request: ${other} and ${task.id}`];
  });
}

/** Objects that no row names, and rows that name what is not there. */
export function orphansAmong(keys: readonly string[], rows: readonly TaskRecord[]): string[] {
  const named = new Map(
    rows.flatMap(({ id, payload, result }) =>
      [payload, result].flatMap((body) =>
        body?.key === undefined || body.isForgotten ? [] : [[body.key, id] as const],
      ),
    ),
  );
  const there = new Set(keys);
  return [
    ...keys.filter((key) => !named.has(key)).map((key) => `no task names the object ${key}`),
    ...[...named].flatMap(([key, id]) => (there.has(key) ? [] : [`${id} names ${key}, which is not there`])),
  ];
}
