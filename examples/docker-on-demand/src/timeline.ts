import type { Gateway, GatewayEvents } from "@modelgate/core";

export interface Moment {
  readonly who: string;
  /** `model waiting`, `task succeeded`, `server ready`, … */
  readonly what: string;
}

/** What happened, in order; each event is said as it comes, with the time since the beginning. */
export class Timeline {
  readonly moments: Moment[] = [];
  readonly #say: (line: string) => void;
  readonly #beganMs: number = performance.now();

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  tell(who: string, what: string, more = ""): void {
    this.moments.push({ who, what });
    const atSeconds = ((performance.now() - this.#beganMs) / 1000).toFixed(2).padStart(6);
    this.#say(`${atSeconds} s  ${who.padEnd(7)} ${what}${more === "" ? "" : `  ${more}`}`);
  }

  /** Says what a gateway tells of deployments, servers and tasks. */
  follow(who: string, { events }: Gateway): void {
    const on = <E extends keyof GatewayEvents>(event: E, listener: GatewayEvents[E]): void => {
      events.on(event, listener as never);
    };
    on("deployment:changed", ({ state, code }) => this.tell(who, `model ${state}`, code));
    on("server:changed", ({ state }) => this.tell(who, `server ${state}`));
    on("task:submitted", () => this.tell(who, "task submitted"));
    on("task:started", ({ attempt }) => this.tell(who, "task started", `attempt ${attempt}`));
    on("task:ended", ({ state, code }) => this.tell(who, `task ${state}`, code));
  }

  /** The states of the model as one gateway saw them. */
  statesSeenBy(who: string): readonly string[] {
    return this.moments
      .filter((moment) => moment.who === who && moment.what.startsWith("model "))
      .map(({ what }) => what.slice("model ".length));
  }

  /** When `what` was last told by whomever, as a place in the order; -1 when it never was. */
  lastOf(what: string): number {
    return this.moments.findLastIndex((moment) => moment.what === what);
  }
}
