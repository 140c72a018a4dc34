/** Lets a text through up to the first of some sequences, and holds back what could be the beginning of one. */
export class StopFilter {
  readonly #stops: readonly string[];
  #held = "";
  #hasStopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== "");
  }

  get hasStopped(): boolean {
    return this.#hasStopped;
  }

  /** What may be sent of it. */
  push(piece: string): string {
    this.#held += piece;
    const found = this.#stops.map((stop) => this.#held.indexOf(stop)).filter((at) => at !== -1);
    if (found.length > 0) {
      this.#hasStopped = true;
      const kept = this.#held.slice(0, Math.min(...found));
      this.#held = "";
      return kept;
    }
    const keep = this.#longestBeginning();
    const free = this.#held.slice(0, this.#held.length - keep);
    this.#held = this.#held.slice(free.length);
    return free;
  }

  /** What was held back, when nothing more comes. */
  end(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }

  #longestBeginning(): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, this.#held.length); length > longest; length -= 1) {
        if (this.#held.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}

/** Lets only whole sentences through; a text without any passes at its end. */
export class SentenceFilter {
  #held = "";
  #hasPassed = false;

  push(piece: string): string {
    this.#held += piece;
    const end = /^.*[.!?](?=\s|$)/su.exec(this.#held)?.[0] ?? "";
    this.#held = this.#held.slice(end.length);
    if (end !== "") this.#hasPassed = true;
    return end;
  }

  end(): string {
    const rest = this.#hasPassed ? "" : this.#held;
    this.#held = "";
    return rest;
  }
}
