/** Shorter lists go along with each exchange. */
const LONG = 64;

/** Long lists that the worker keeps; one that was not used for the longest time goes first. */
const REMEMBERED = 64;

/** Two lists of models with the same content are one list, whoever made them. */
export class SentLists {
  readonly #numbers = new Map<string, number>();
  readonly #seen = new WeakMap<
    readonly string[],
    { readonly models: readonly string[]; readonly content: string }
  >();
  #generation = -1;
  #last = 0;

  /** The number of a long list, or a short list itself. Adds to `fresh` and `forget` what the worker is to be told. */
  numberOf(
    models: readonly string[],
    generation: number,
    fresh: (readonly [number, readonly string[]])[],
    forget: number[],
  ): number | readonly string[] {
    if (models.length < LONG) return models;
    if (this.#generation !== generation) {
      this.#generation = generation;
      this.#numbers.clear();
    }
    const content = this.#contentOf(models);
    let number = this.#numbers.get(content);
    if (number === undefined) {
      this.#last += 1;
      number = this.#last;
      fresh.push([number, models]);
      const oldest = this.#numbers.entries().next();
      if (this.#numbers.size >= REMEMBERED && oldest.done !== true) {
        this.#numbers.delete(oldest.value[0]);
        forget.push(oldest.value[1]);
      }
    } else this.#numbers.delete(content);
    this.#numbers.set(content, number);
    return number;
  }

  #contentOf(models: readonly string[]): string {
    const seen = this.#seen.get(models);
    // Its owner may have changed the list in place. Comparing the same strings costs next to nothing.
    if (seen?.models.length === models.length && seen.models.every((model, index) => model === models[index]))
      return seen.content;
    const content = models.join("\0");
    this.#seen.set(models, { models: [...models], content });
    return content;
  }
}
