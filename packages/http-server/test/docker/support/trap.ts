/** Whether a call is stopped on its way there, or its answer on its way back. */
export type When = "before" | "after";

/** A call that a gateway makes of the engine or of the store. */
export interface Step {
  readonly name: string;
  readonly at: "engine" | "store";
  /** Knows the call by `METHOD /path` or by what is written. */
  readonly is: (text: string) => boolean;
}

/** Waits at one step for the first gateway that comes there, and holds up its call until it is let go. */
export class Trap {
  /** Which gateway was caught. */
  readonly caught: Promise<number>;
  readonly #step: Step;
  readonly #when: When;
  readonly #released: Promise<boolean>;
  #isOpen = true;
  #catch: (member: number) => void = () => {};
  #release: (goesOn: boolean) => void = () => {};

  constructor(step: Step, when: When) {
    this.#step = step;
    this.#when = when;
    this.caught = new Promise((resolve) => {
      this.#catch = resolve;
    });
    this.#released = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  /** Takes the call if it is the one; from then on the trap is shut. */
  takes(at: Step["at"], when: When, text: string): boolean {
    if (!this.#isOpen || at !== this.#step.at || when !== this.#when || !this.#step.is(text)) return false;
    this.#isOpen = false;
    return true;
  }

  /** Resolves when the call is let go: to whether it goes on, or is lost. */
  async hold(member: number): Promise<boolean> {
    this.#catch(member);
    return await this.#released;
  }

  release(goesOn: boolean): void {
    this.#isOpen = false;
    this.#release(goesOn);
  }
}

/** Where the gates of all gateways of a cluster look for a trap. */
export interface Traps {
  current: Trap | undefined;
}
