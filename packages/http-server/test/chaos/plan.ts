import { randomOf } from "../support/random.ts";

export type BrokerName = "redis" | "rabbitmq";
export type ServiceName = "postgres" | "s3" | BrokerName;

/** How a broker loses what it keeps; `restart-empty` is a crash after which it knows nothing any more. */
export type LossKind = "flush" | "restart-empty" | "purge" | "delete-queues";
/** What goes wrong with brokers alone. */
export type BrokerFaultKind = LossKind | "memory-alarm" | "split";

/** A broker, and what can be done to it. */
export interface PlannedBroker {
  readonly name: BrokerName;
  readonly faults: readonly BrokerFaultKind[];
}

/** One thing that goes wrong, and with whom. */
export type Fault =
  /** `kill -9`, and a new start after `downMs`; `againMs` after that start it is killed once more. */
  | { readonly kind: "kill"; readonly target: string; readonly downMs: number; readonly againMs?: number }
  | { readonly kind: "pause"; readonly target: string; readonly forMs: number }
  | {
      readonly kind: "outage";
      readonly service: ServiceName;
      readonly how: "stop" | "kill" | "freeze";
      readonly forMs: number;
    }
  | { readonly kind: "cut"; readonly link: string }
  | { readonly kind: "delay"; readonly link: string; readonly ms: number; readonly forMs: number }
  | {
      readonly kind: "throttle";
      readonly link: string;
      readonly bytesPerSecond: number;
      readonly forMs: number;
    }
  /** Half open: the connections stand, and nothing passes in either direction. */
  | { readonly kind: "stall"; readonly link: string; readonly forMs: number }
  | { readonly kind: LossKind; readonly broker: BrokerName }
  /** The broker takes no more messages and delivers what it has. */
  | { readonly kind: "memory-alarm"; readonly broker: BrokerName; readonly forMs: number }
  /** Some processes do not reach the broker; the others do. */
  | {
      readonly kind: "split";
      readonly broker: BrokerName;
      readonly targets: readonly string[];
      readonly forMs: number;
    }
  | { readonly kind: "model-kill"; readonly model: string; readonly downMs: number }
  /** The model server writes half of its next answer and is gone. */
  | { readonly kind: "model-dies-answering"; readonly model: string; readonly downMs: number };

export interface Step {
  readonly atMs: number;
  readonly fault: Fault;
}

export interface PlanOptions {
  readonly seed: number;
  /** How long faults are let loose. */
  readonly chaosMs: number;
  readonly leaseMs: number;
  /** Processes of ours, by name. */
  readonly processes: readonly string[];
  readonly models: readonly string[];
  readonly services: readonly ServiceName[];
  readonly brokers: readonly PlannedBroker[];
  /** Connections that a fault may befall, by name. */
  readonly links: readonly string[];
  readonly kills: number;
  readonly pauses: number;
  /** For each service. */
  readonly outages: number;
  readonly outageMs: readonly [least: number, most: number];
  readonly linkFaults: number;
  /** Of each kind, for each broker. */
  readonly brokerFaults: number;
  readonly modelKills: number;
}

/** What will go wrong and when. The same options give the same plan, whatever becomes of the run. */
export function planChaos(options: PlanOptions): readonly Step[] {
  const { chaosMs, leaseMs, processes, models, services, brokers, links } = options;
  // Each subject has its own stream of numbers, so that one more of one kind leaves the others as they are.
  const streams = new Map<string, Dice>();
  const dice = (name: string): Dice => {
    const known = streams.get(name) ?? new Dice(options.seed, name);
    streams.set(name, known);
    return known;
  };
  const spread = (name: string, count: number, make: (dice: Dice) => Fault): Step[] =>
    Array.from({ length: count }, (_, at) => {
      const within = (at + 0.1 + 0.8 * dice(name).next()) / count;
      return { atMs: Math.round(within * chaosMs), fault: make(dice(name)) };
    });
  const steps = [
    ...spread("kill", options.kills, (from) => killOf(from, processes)),
    ...spread("pause", options.pauses, (from) => ({
      kind: "pause",
      target: from.pick(processes),
      forMs: from.between(1.1 * leaseMs, 2.5 * leaseMs),
    })),
    ...services.flatMap((service) =>
      spread(`outage ${service}`, options.outages, (from) => ({
        kind: "outage",
        service,
        how: from.pick(["stop", "kill", "freeze"] as const),
        forMs: from.between(...options.outageMs),
      })),
    ),
    ...spread("link", options.linkFaults, (from) => linkFaultOf(from, links, leaseMs)),
    ...brokers.flatMap(({ name, faults }) =>
      faults.flatMap((kind) =>
        spread(`${kind} of ${name}`, options.brokerFaults, (from) =>
          brokerFaultOf(from, kind, name, options),
        ),
      ),
    ),
    ...spread("model", options.modelKills, (from) => ({
      kind: from.next() < 0.5 ? "model-kill" : "model-dies-answering",
      model: from.pick(models),
      downMs: from.between(100, 2_000),
    })),
  ];
  return steps.sort((a, b) => a.atMs - b.atMs);
}

function killOf(dice: Dice, processes: readonly string[]): Fault {
  const kill = { kind: "kill", target: dice.pick(processes), downMs: dice.between(0, 1_500) } as const;
  return dice.next() < 0.25 ? { ...kill, againMs: dice.between(20, 600) } : kill;
}

function linkFaultOf(dice: Dice, links: readonly string[], leaseMs: number): Fault {
  const link = dice.pick(links);
  const forMs = dice.between(500, 4_000);
  const kind = dice.next();
  if (kind < 0.4) return { kind: "cut", link };
  if (kind < 0.6) return { kind: "delay", link, ms: dice.between(20, 400), forMs };
  if (kind < 0.8) return { kind: "throttle", link, bytesPerSecond: dice.between(20_000, 400_000), forMs };
  return { kind: "stall", link, forMs: dice.between(300, 1.5 * leaseMs) };
}

function brokerFaultOf(
  dice: Dice,
  kind: BrokerFaultKind,
  broker: BrokerName,
  { processes, outageMs }: PlanOptions,
): Fault {
  if (kind === "memory-alarm") return { kind, broker, forMs: dice.between(...outageMs) };
  if (kind !== "split") return { kind, broker };
  // At least one on either side.
  const [alone, ...others] = dice.shuffle(processes);
  if (alone === undefined) throw new Error("there is nobody to split off");
  const targets = [alone, ...others.slice(0, -1).filter(() => dice.next() < 0.5)];
  return { kind, broker, targets, forMs: dice.between(...outageMs) };
}

/** The plan for people, a line for each step. */
export function printPlan(plan: readonly Step[]): string {
  return plan
    .map(({ atMs, fault }) => {
      const { kind, ...about } = fault;
      const words = Object.entries(about).map(([name, value]) => `${name} ${value}`);
      return `${(atMs / 1_000).toFixed(1).padStart(7)} s  ${kind.padEnd(20)} ${words.join(", ")}`;
    })
    .join("\n");
}

class Dice {
  readonly #random: () => number;

  constructor(seed: number, stream: string) {
    let hash = 2_166_136_261 ^ seed;
    for (const char of stream) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16_777_619);
    this.#random = randomOf(hash);
  }

  next(): number {
    return this.#random();
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return Math.floor(least + this.next() * (most - least + 1));
  }

  shuffle<T>(items: readonly T[]): readonly T[] {
    return items
      .map((item) => ({ item, place: this.next() }))
      .sort((a, b) => a.place - b.place)
      .map(({ item }) => item);
  }

  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.next() * items.length)];
    if (item === undefined) throw new Error("there is nothing to pick from");
    return item;
  }
}
