import type { Span } from "./nlp/labels.ts";

/** What finds entities in a text. The spans come in text order and do not overlap. */
export interface Engine {
  /** What `/readyz` and `/info` call the model. */
  readonly type: string;
  find(text: string, signal: AbortSignal): Span[] | Promise<Span[]>;
}

export type EngineName = "nlp" | "echo";

const echo: Engine = { type: "nlp_echo", find: () => [] };

const warmUpText =
  "Dr. Maria Keller saw John Smith on 12 March 2024 at 9:30 am in Berlin; he paid $120.50 of 15%, see a@b.example.";

/** Loads an engine and uses it once, so that the first request is no slower than the rest. */
export async function loadEngine(name: EngineName): Promise<Engine> {
  if (name === "echo") return echo;
  const { RulesEngine } = await import("./nlp/rules-engine.ts");
  const engine = new RulesEngine();
  for (let round = 0; round < 20; round += 1) await engine.find(warmUpText, new AbortController().signal);
  return engine;
}
