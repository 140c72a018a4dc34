import { tokensIn } from "./tokens.ts";

/** How many tokens before the next one count at most. */
const longestContext = 3;

/** What stands before a text and after it, as if they were tokens. */
const beginning = "\u0002";
const ending = "\u0003";

interface Followers {
  counts: Map<string, number>;
  total: number;
}

export interface Candidate {
  /** Undefined where the text may end. */
  token: string | undefined;
  probability: number;
}

/**
 * A language model of the smallest kind: it has counted which token follows which one, two or three others, and
 * mixes these counts, the longer contexts first (Witten and Bell's smoothing).
 */
export class NgramModel {
  readonly #followers = new Map<string, Followers>();
  readonly #vocabulary = new Set<string>();

  constructor(texts: readonly string[]) {
    for (const text of texts) this.#learn(text);
  }

  /** How many different tokens it has seen. */
  get size(): number {
    return this.#vocabulary.size;
  }

  /** The tokens of a prompt from which the model can go on: words that it never saw tell it nothing. */
  contextOf(prompt: string): string[] {
    return tokensIn(prompt)
      .filter((token) => this.#vocabulary.has(token))
      .slice(-longestContext);
  }

  /** What may come next. Without a context that it knows, it is what texts begin with. */
  next(context: readonly string[]): Candidate[] {
    const tail = context.slice(-longestContext);
    const mixed = new Map<string, number>();
    let share = 1;
    for (let length = tail.length; length > 0; length -= 1) {
      const followers = this.#followers.get(keyOf(tail.slice(-length)));
      if (!followers) continue;
      const { counts, total } = followers;
      const weight = total / (total + counts.size);
      for (const [token, count] of counts) {
        mixed.set(token, (mixed.get(token) ?? 0) + (share * weight * count) / total);
      }
      share *= 1 - weight;
    }
    if (mixed.size === 0) return tail.length === 1 && tail[0] === beginning ? [] : this.next([beginning]);
    const sum = 1 - share;
    return [...mixed].map(([token, value]) => ({
      token: token === ending ? undefined : token,
      probability: value / sum,
    }));
  }

  #learn(text: string): void {
    const tokens = [beginning, ...tokensIn(text), ending];
    for (const [index, token] of tokens.entries()) {
      if (index === 0) continue;
      if (token !== ending) this.#vocabulary.add(token);
      for (let length = 1; length <= Math.min(longestContext, index); length += 1) {
        this.#count(keyOf(tokens.slice(index - length, index)), token);
      }
    }
  }

  #count(key: string, token: string): void {
    let followers = this.#followers.get(key);
    if (!followers) {
      followers = { counts: new Map(), total: 0 };
      this.#followers.set(key, followers);
    }
    followers.counts.set(token, (followers.counts.get(token) ?? 0) + 1);
    followers.total += 1;
  }
}

function keyOf(tokens: readonly string[]): string {
  return tokens.join("\u0000");
}
