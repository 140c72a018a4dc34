const MIN_BITS = 1 << 16;
const MAX_BITS = 1 << 25;
const BITS_PER_ID = 16;
const PROBES = 4;

/**
 * A set of ids in a fixed amount of memory (a Bloom filter). It may say that it has what it lacks, never that it
 * lacks what it has; another seed errs on other ids.
 */
export class IdSketch {
  readonly #words: Uint32Array;
  readonly #mask: number;
  readonly #seed: number;

  constructor(expected: number, seed: number) {
    let bits = MIN_BITS;
    while (bits < MAX_BITS && bits < expected * BITS_PER_ID) bits *= 2;
    this.#words = new Uint32Array(bits / 32);
    this.#mask = bits - 1;
    this.#seed = seed;
  }

  add(id: string): void {
    for (const bit of this.#bits(id))
      this.#words[bit >>> 5] = (this.#words[bit >>> 5] ?? 0) | (1 << (bit & 31));
  }

  mayHave(id: string): boolean {
    return this.#bits(id).every((bit) => ((this.#words[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0);
  }

  #bits(id: string): number[] {
    const first = hash(id, this.#seed);
    const step = hash(id, ~this.#seed) | 1;
    return Array.from({ length: PROBES }, (_, probe) => ((first + probe * step) & this.#mask) >>> 0);
  }
}

/** FNV-1a with a finish that spreads the last characters over all bits. */
function hash(text: string, seed: number): number {
  let state = (0x811c9dc5 ^ Math.imul(seed, 0x9e3779b1)) >>> 0;
  for (let at = 0; at < text.length; at += 1) state = Math.imul(state ^ text.charCodeAt(at), 0x01000193);
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  return (state ^ (state >>> 13)) >>> 0;
}
