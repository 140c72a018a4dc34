import type { Span } from "./nlp/labels.ts";

/** What finds entities in a text. The spans come in text order and do not overlap. */
export interface Engine {
  /** What `/readyz` and `/info` call the model. */
  readonly type: string;
  find(text: string, signal: AbortSignal): Span[] | Promise<Span[]>;
}

export type EngineName = "nlp" | "echo" | "vllm";

const echo: Engine = { type: "nlp_echo", find: () => [] };
/** Stands where a server only generates: there is nothing that it finds. */
const ngram: Engine = { type: "nlp_ngram", find: () => [] };

const warmUpText =
  "Dr. Maria Keller saw John Smith on 12 March 2024 at 9:30 am in Berlin; he paid $120.50 of 15%, see a@b.example.";

/** The engine of a server; one that generates and does nothing else finds nothing. */
export async function engineOf(name: EngineName, onlyGenerates: boolean): Promise<Engine> {
  return onlyGenerates || name === "vllm" ? ngram : loadEngine(name);
}

/** Loads an engine and uses it once, so that the first request is no slower than the rest. */
export async function loadEngine(name: "nlp" | "echo"): Promise<Engine> {
  if (name === "echo") return echo;
  const { RulesEngine } = await import("./nlp/rules-engine.ts");
  const engine = new RulesEngine();
  for (let round = 0; round < 20; round += 1) await engine.find(warmUpText, new AbortController().signal);
  return engine;
}
