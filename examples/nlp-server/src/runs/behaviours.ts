import { json, Refusal } from "../http/answer.ts";

/** What real servers do to their trainings; the README says it of each. */
const behaviourNames = [
  "orphan-run",
  "failed-while-working",
  "parallel",
  "deaf-cancel",
  "busy-after-end",
  "no-save",
  "lose-accept",
  "slow-accept",
  "fail-accept",
  "html-accept",
  "nameless-accept",
] as const;

export type BehaviourName = (typeof behaviourNames)[number];

export interface Behaviour {
  name: BehaviourName;
  /** How long it lasts, where it lasts. Default 1000. */
  ms: number;
  /** In which share of the cases, drawn by lot. Default 1. */
  share: number;
  /** How many cases it still concerns; `null` is all, until it is switched off. */
  next: number | null;
}

/** The misbehaviours that are switched on. */
export class Behaviours {
  readonly #on = new Map<BehaviourName, Behaviour>();

  /** Switches some on; one that is on already is replaced. */
  set(...behaviours: readonly (BehaviourName | (Partial<Behaviour> & { name: BehaviourName }))[]): void {
    for (const each of behaviours) {
      const behaviour = typeof each === "string" ? { name: each } : each;
      this.#on.set(behaviour.name, { ms: 1_000, share: 1, next: null, ...behaviour });
    }
  }

  /** Switches one off, or all. */
  clear(name?: string): void {
    for (const each of this.#on.keys()) if (name === undefined || each === name) this.#on.delete(each);
  }

  list(): Behaviour[] {
    return [...this.#on.values()].map((behaviour) => ({ ...behaviour }));
  }

  /** The behaviour, if it is on and concerns this case; it is used up by it. */
  take(name: BehaviourName): Behaviour | undefined {
    const behaviour = this.#on.get(name);
    if (!behaviour || Math.random() >= behaviour.share) return undefined;
    if (behaviour.next !== null) {
      behaviour.next -= 1;
      if (behaviour.next <= 0) this.#on.delete(name);
    }
    return { ...behaviour };
  }
}

/** Reads one behaviour or a list of them from the JSON of `POST /_behaviour`. */
export function parseBehaviours(body: Buffer): Behaviour[] {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    throw invalid("The body must be JSON.");
  }
  return (Array.isArray(value) ? value : [value]).map(parseBehaviour);
}

/** Reads `name`, `name:ms=2000` or `name:share=0.3:next=5`, several separated by commas. */
export function parseBehaviourList(source: string): Behaviour[] {
  return source.split(",").map((each) => {
    const [name, ...settings] = each.trim().split(":");
    const pairs = settings
      .map((setting) => setting.split("=", 2))
      .map(([key, value]) => [key, Number(value)]);
    return parseBehaviour({ name, ...(Object.fromEntries(pairs) as Record<string, number>) });
  });
}

function parseBehaviour(value: unknown): Behaviour {
  const given = typeof value === "string" ? { name: value } : value;
  if (typeof given !== "object" || given === null) throw invalid("A behaviour must be a name or an object.");
  const { name, ms = 1_000, share = 1, next = null, ...others } = given as Record<string, unknown>;
  const unknownKey = Object.keys(others)[0];
  if (unknownKey !== undefined) throw invalid(`A behaviour has no "${unknownKey}".`);
  const known = behaviourNames.find((each) => each === name);
  if (!known) throw invalid(`"name" must be one of ${behaviourNames.join(", ")}.`);
  if (typeof ms !== "number" || !Number.isInteger(ms) || ms < 0) {
    throw invalid('"ms" must be an integer of at least 0.');
  }
  if (typeof share !== "number" || !(share >= 0 && share <= 1)) throw invalid('"share" must be from 0 to 1.');
  if (next !== null && (typeof next !== "number" || !Number.isInteger(next) || next < 1)) {
    throw invalid('"next" must be a positive integer or null.');
  }
  return { name: known, ms, share, next };
}

function invalid(sentence: string): Refusal {
  return new Refusal(json(400, { message: sentence }));
}
