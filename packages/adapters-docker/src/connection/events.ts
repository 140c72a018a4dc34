import type { EngineConnection } from "./connection.ts";
import { jsonLines } from "./json-lines.ts";

/** Something that happened on the engine, in one shape for all of its versions. */
export interface EngineEvent {
  /** `container`, `network`, … */
  readonly type: string;
  /** `start`, `die`, …; `health_status` without the state that older engines write after it. */
  readonly action: string;
  /** What came after the action: `healthy` of `health_status: healthy`. */
  readonly detail: string | undefined;
  /** The container, network, … that it happened to. */
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** By the engine's clock, in nanoseconds since the epoch; 0 when it was not said. */
  readonly atNs: bigint;
}

export interface EventStream {
  /** To be read once. Ends when the engine ends it; throws `DEPLOYER_UNAVAILABLE` when it breaks. */
  readonly events: AsyncIterable<EngineEvent>;
  close(): void;
}

export interface EventRequest {
  /** As the engine takes them: `{ type: ["container"], event: ["start"], label: ["a=b"] }`. */
  readonly filters: Readonly<Record<string, readonly string[]>>;
  /** By the engine's clock: what happened from then on is told too, as far as it still knows. */
  readonly since?: Date | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Begins to listen. The engine says so a moment before it does, so that whoever must miss nothing gives `since`, from a
 * ping just before.
 */
export async function openEvents(connection: EngineConnection, request: EventRequest): Promise<EventStream> {
  const { filters, since, signal } = request;
  const stream = await connection.stream({
    path: "/events",
    query: { filters, since: since === undefined ? undefined : Math.floor(since.getTime() / 1000) },
    signal,
  });
  return { events: eventsOf(stream.body), close: () => stream.close() };
}

/** Parses what an engine wrote. */
export async function* eventsOf(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<EngineEvent, void, undefined> {
  for await (const value of jsonLines(chunks)) {
    const event = parseEvent(value);
    if (event !== undefined) yield event;
  }
}

/** Undefined for what is no event. Before API 1.52 some engines left `Action` and `Actor` to `status` and `id`. */
function parseEvent(value: unknown): EngineEvent | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { Type, Action, Actor, status, id, timeNano, time } = value as Record<string, unknown>;
  const text = typeof Action === "string" ? Action : status;
  const actor = (typeof Actor === "object" && Actor !== null ? Actor : {}) as Record<string, unknown>;
  const actorId = typeof actor["ID"] === "string" ? actor["ID"] : id;
  if (typeof text !== "string" || typeof actorId !== "string") return undefined;
  const [action = "", detail] = text.split(/:\s*/, 2);
  return {
    type: typeof Type === "string" ? Type : "container",
    action,
    detail,
    id: actorId,
    attributes: textsOf(actor["Attributes"]),
    atNs: nanoseconds(timeNano, time),
  };
}

/** A number of nanoseconds does not fit a double; to within a microsecond is enough here. */
function nanoseconds(timeNano: unknown, time: unknown): bigint {
  if (typeof timeNano === "number" && Number.isFinite(timeNano)) return BigInt(Math.trunc(timeNano));
  return typeof time === "number" && Number.isFinite(time) ? BigInt(Math.trunc(time)) * 1_000_000_000n : 0n;
}

function textsOf(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== "object" || value === null) return {};
  const texts = Object.entries(value).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  return Object.fromEntries(texts);
}
