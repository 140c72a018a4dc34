import { json, Refusal } from "./http/answer.ts";

const kinds = [
  "delay",
  "error",
  "hang",
  "die_mid_body",
  "busy",
  "reset",
  "slow_first_byte",
  "stall",
  "break_off",
] as const;

export type FaultKind = (typeof kinds)[number];

/** What the fault switch does to the requests that it matches. */
export interface Fault {
  kind: FaultKind;
  /** How many requests it still concerns; `null` means all, until it is removed. */
  next: number | null;
  /** For `delay` and `slow_first_byte`: how long; for `busy`: what `Retry-After` says, rounded up to seconds. */
  ms: number;
  /** For `error`: the status. */
  status: number;
  /** For `stall` and `break_off`: after how many pieces of the answer. Default 1. */
  after?: number;
  /** Only requests of which a text contains this. */
  match?: string;
  /** Only this route. Without it, the fault concerns the work routes. */
  route?: string;
}

/** The faults in force. The first that matches a request is used, and used up by it. */
export class FaultSwitch {
  #faults: Fault[] = [];

  add(...faults: readonly Fault[]): void {
    this.#faults.push(...faults.map((fault) => ({ ...fault })));
  }

  clear(): void {
    this.#faults = [];
  }

  list(): Fault[] {
    return this.#faults.map((fault) => ({ ...fault }));
  }

  take(route: string, isWork: boolean, texts: readonly string[]): Fault | undefined {
    const fault = this.#faults.find(
      (each) =>
        (each.route === undefined ? isWork : each.route === route) &&
        (each.match === undefined || texts.some((text) => text.includes(each.match ?? ""))),
    );
    if (!fault) return undefined;
    if (fault.next !== null) {
      fault.next -= 1;
      if (fault.next <= 0) this.#faults = this.#faults.filter((each) => each !== fault);
    }
    return { ...fault };
  }
}

/** Reads one fault or a list of them from the JSON of `POST /_faults`. */
export function parseFaults(body: Buffer): Fault[] {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    throw invalid("The body must be JSON.");
  }
  return Array.isArray(value) ? value.map(parseFault) : [parseFault(value)];
}

function parseFault(value: unknown): Fault {
  if (typeof value !== "object" || value === null) throw invalid("A fault must be an object.");
  const {
    kind,
    next = 1,
    ms = 1_000,
    status = 500,
    after,
    match,
    route,
    ...others
  } = value as Record<string, unknown>;
  const unknownKey = Object.keys(others)[0];
  if (unknownKey !== undefined) throw invalid(`A fault has no "${unknownKey}".`);
  const known = kinds.find((each) => each === kind);
  if (!known) throw invalid(`"kind" must be one of ${kinds.join(", ")}.`);
  if (next !== null && !isInteger(next, 1)) throw invalid('"next" must be a positive integer or null.');
  if (!isInteger(ms, 0)) throw invalid('"ms" must be an integer of at least 0.');
  if (!isInteger(status, 400) || status > 599) throw invalid('"status" must be from 400 to 599.');
  if (after !== undefined && !isInteger(after, 0)) throw invalid('"after" must be an integer of at least 0.');
  if (match !== undefined && typeof match !== "string") throw invalid('"match" must be a string.');
  if (route !== undefined && typeof route !== "string") throw invalid('"route" must be a string.');
  return {
    kind: known,
    next,
    ms,
    status,
    ...(after !== undefined && { after }),
    ...(match !== undefined && { match }),
    ...(route !== undefined && { route }),
  };
}

function isInteger(value: unknown, least: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= least;
}

function invalid(sentence: string): Refusal {
  return new Refusal(json(400, { message: sentence }));
}
