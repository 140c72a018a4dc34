/** How sure an answer is: `share` is between 0 and 1, `margin` the distance from the next best class. */
export interface Guess {
  name: string;
  margin: number;
  share: number;
}

/** Weights of one feature by class: as they are, and summed up for the average. */
interface Weights {
  now: number[];
  summed: number[];
}

/** By how much the right class has to lead before an example teaches nothing more. */
const wantedMargin = 1;

/**
 * An averaged perceptron: a linear classifier over named features. The average over all steps of the training is far
 * less moved by the last examples than the weights themselves.
 */
export class Perceptron {
  readonly #classes: string[];
  readonly #weights: Map<string, Weights>;
  #steps: number;

  constructor(other?: Perceptron) {
    this.#classes = [...(other?.classes ?? [])];
    this.#weights = new Map();
    for (const [feature, { now, summed }] of other ? other.#weights : []) {
      this.#weights.set(feature, { now: [...now], summed: [...summed] });
    }
    this.#steps = other ? other.#steps : 1;
  }

  get classes(): readonly string[] {
    return this.#classes;
  }

  /** Moves the weights by `rate` where the right class does not lead clearly. */
  learn(features: readonly string[], name: string, rate: number): void {
    this.#steps += 1;
    const right = this.#indexOf(name);
    const scores = this.#scores(features, ({ now }, index) => now[index] ?? 0);
    let rival = -1;
    for (const [index, score] of scores.entries()) {
      if (index !== right && (rival === -1 || score > (scores[rival] ?? 0))) rival = index;
    }
    if (rival === -1 || (scores[right] ?? 0) - (scores[rival] ?? 0) >= wantedMargin) return;
    for (const feature of features) {
      const weights = this.#weights.get(feature) ?? { now: [], summed: [] };
      this.#weights.set(feature, weights);
      this.#move(weights, right, rate);
      this.#move(weights, rival, -rate);
    }
  }

  /** The best class, or nothing before anything was learned. */
  guess(features: readonly string[]): Guess | undefined {
    const scores = this.#scores(features, (weights, index) => this.#averageOf(weights, index));
    const best = scores.indexOf(Math.max(...scores));
    const name = this.#classes[best];
    const top = scores[best];
    if (name === undefined || top === undefined) return undefined;
    const others = scores.filter((_, index) => index !== best);
    const sum = scores.reduce((total, score) => total + Math.exp(score - top), 0);
    return { name, margin: top - Math.max(...others, 0), share: 1 / sum };
  }

  toJSON(): { classes: readonly string[]; weights: Record<string, number[]> } {
    const rounded = ([feature, weights]: [string, Weights]): [string, number[]] => [
      feature,
      this.#classes.map((_, index) => Number(this.#averageOf(weights, index).toFixed(6))),
    ];
    return { classes: this.#classes, weights: Object.fromEntries([...this.#weights].map(rounded)) };
  }

  #scores(features: readonly string[], weightOf: (weights: Weights, index: number) => number): number[] {
    const scores = this.#classes.map(() => 0);
    for (const feature of features) {
      const weights = this.#weights.get(feature);
      if (!weights) continue;
      for (const index of scores.keys()) scores[index] = (scores[index] ?? 0) + weightOf(weights, index);
    }
    return scores;
  }

  #averageOf({ now, summed }: Weights, index: number): number {
    return (now[index] ?? 0) - (summed[index] ?? 0) / this.#steps;
  }

  #move({ now, summed }: Weights, index: number, by: number): void {
    now[index] = (now[index] ?? 0) + by;
    summed[index] = (summed[index] ?? 0) + by * this.#steps;
  }

  #indexOf(name: string): number {
    const index = this.#classes.indexOf(name);
    return index === -1 ? this.#classes.push(name) - 1 : index;
  }
}
