import { describe, expect, it } from "vitest";
import { type GenerationRequest, Generator } from "../src/generation/generation.ts";
import { NgramModel } from "../src/generation/ngram-model.ts";
import { pick } from "../src/generation/pick.ts";
import { SentenceFilter, StopFilter } from "../src/generation/stop-filter.ts";
import { tokensIn } from "../src/generation/tokens.ts";
import { readNotes } from "../src/notes.ts";

const notes = readNotes();
const generator = new Generator(new NgramModel(notes), { tokenMs: 0, seed: 1 });
const alive = new AbortController().signal;

function ask(more: Partial<GenerationRequest>): GenerationRequest {
  return { prompt: "The patient was", maxTokens: 40, temperature: 0.7, topP: 0.9, stop: [], ...more };
}

const textOf = (more: Partial<GenerationRequest>): Promise<string> =>
  generator.begin(ask(more), alive).text();

describe("the n-gram model", () => {
  it("cuts texts into tokens that are the text again when joined", () => {
    for (const note of [...notes, "  two  spaces\r\n\t😀 O'Neill é \ud800 end "]) {
      expect(tokensIn(note).join("")).toBe(note);
    }
  });

  it("knows what follows, and what it never saw does not put it off", () => {
    const model = new NgramModel(["a b c", "a b d", "a b c"]);
    const next = (prompt: string): unknown =>
      model.next(model.contextOf(prompt)).map(({ token, probability }) => [token, probability]);
    expect(next("a b")).toEqual([
      [" c", expect.closeTo(2 / 3)],
      [" d", expect.closeTo(1 / 3)],
    ]);
    expect(next("zzz a yyy b")).toEqual(next("a b"));
    expect(next("zzz")).toEqual([["a", expect.closeTo(1)]]);
    expect(next("a b c")).toEqual([[undefined, expect.closeTo(1)]]);
  });
});

describe("a generation", () => {
  it("is the same for the same seed, and mostly another for another", async () => {
    const texts = await Promise.all([1, 2, 3, 4, 5].map((seed) => textOf({ seed, temperature: 1 })));
    expect(await Promise.all([1, 2, 3, 4, 5].map((seed) => textOf({ seed, temperature: 1 })))).toEqual(texts);
    expect(new Set(texts).size).toBeGreaterThan(2);
  });

  it("takes the likeliest at temperature 0 and within a small top_p, whatever the seed", async () => {
    const greedy = await textOf({ temperature: 0, seed: 1 });
    expect(await textOf({ temperature: 0, seed: 99 })).toBe(greedy);
    expect(await textOf({ temperature: 1, topP: 0.000_1, seed: 7 })).toBe(greedy);
    const drawn = await Promise.all([1, 2, 3, 4].map((seed) => textOf({ temperature: 2, topP: 1, seed })));
    expect(drawn.some((text) => text !== greedy)).toBe(true);
  });

  it("goes on from the prompt: with other words before it comes something else", async () => {
    expect(await textOf({ prompt: "Seen by Dr.", temperature: 0 })).not.toBe(
      await textOf({ temperature: 0 }),
    );
  });

  it("ends at max_tokens, or by itself, and says which", async () => {
    const short = generator.begin(ask({ maxTokens: 3 }), alive);
    await short.text();
    expect(short.result).toMatchObject({ promptTokens: 3, completionTokens: 3, finishReason: "length" });
    const whole = generator.begin(ask({ maxTokens: 10_000 }), alive);
    await whole.text();
    expect(whole.result.finishReason).toBe("stop");
    const on = generator.begin(ask({ maxTokens: 2_000, ignoresEnd: true }), alive);
    await on.text();
    expect(on.result).toMatchObject({ completionTokens: 2_000, finishReason: "length" });
  });

  it("ends before a stop sequence, also one that comes in several tokens", async () => {
    const whole = await textOf({ temperature: 0 });
    const stop = whole.slice(12, 24);
    const generation = generator.begin(ask({ temperature: 0, stop: ["never", stop] }), alive);
    const pieces: string[] = [];
    for await (const piece of generation.pieces()) pieces.push(piece);
    expect(pieces.join("")).toBe(whole.slice(0, whole.indexOf(stop)));
    expect(generation.result.finishReason).toBe("stop");
  });

  it("ends when nobody wants it any more", async () => {
    const over = new AbortController();
    const endless = generator.begin(ask({ maxTokens: 1e9, ignoresEnd: true }), over.signal);
    setTimeout(() => over.abort(), 20);
    await expect(endless.text()).rejects.toThrow();
  });
});

describe("drawing", () => {
  const candidates = [
    { token: "a", probability: 0.5 },
    { token: "b", probability: 0.3 },
    { token: "c", probability: 0.2 },
  ];
  const drawn = (random: number, temperature = 1, topP = 1): string | undefined =>
    pick(candidates, { temperature, topP }, () => random)?.token;

  it("follows the probabilities, sharpened or flattened by the temperature", () => {
    expect([drawn(0.49), drawn(0.51), drawn(0.81)]).toEqual(["a", "b", "c"]);
    expect([drawn(0.68, 0.5), drawn(0.49, 100)]).toEqual(["b", "b"]);
    expect(drawn(0.999, 0.01)).toBe("a");
  });

  it("leaves out the unlikely, and never all", () => {
    expect([drawn(0.999, 1, 0.8), drawn(0.999, 1, 0.5), drawn(0.999, 1, 0)]).toEqual(["b", "a", "a"]);
  });
});

describe("what is held back", () => {
  it("is only what could be the beginning of a stop sequence", () => {
    const filter = new StopFilter(["END", "\n\n"]);
    expect([filter.push("a E"), filter.push("N"), filter.push("T x\n"), filter.end()]).toEqual([
      "a ",
      "",
      "ENT x",
      "\n",
    ]);
    expect([filter.push("b\n"), filter.push("\nc"), filter.hasStopped]).toEqual(["b", "", true]);
  });

  it("is a sentence that has no end, unless there is no other", () => {
    const filter = new SentenceFilter();
    expect([filter.push("One. T"), filter.push("wo! Thr"), filter.end()]).toEqual(["One.", " Two!", ""]);
    const single = new SentenceFilter();
    expect([single.push("no end"), single.end()]).toEqual(["", "no end"]);
  });
});
