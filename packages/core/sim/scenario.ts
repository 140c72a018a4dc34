import { Random } from "./random.ts";

export type LedgerKind = "native" | "composed";

/**
 * - `keyed`: finds entries by id, in exact order, and shows when it lost them, as one in Redis does.
 * - `banded`: in bands, knows no ids and may be purged without a trace, as one in RabbitMQ does.
 */
export type QueueKind = "keyed" | "banded";

export interface ServerPlan {
  readonly id: string;
  readonly models: readonly string[];
  readonly limit: number;
  /** How long a call takes. */
  readonly workMs: number;
  readonly busyRate: number;
  readonly brokenRate: number;
  readonly rejectRate: number;
  /** Whether it accepts a second training while one runs. */
  readonly acceptsSecond: boolean;
  /** Whether it can tell about runs. */
  readonly findsRuns: boolean;
  readonly runMs: number;
  readonly loses202: number;
  /** Virtual times at which it dies, and for how long it is away. */
  readonly deaths: readonly { readonly atMs: number; readonly forMs: number }[];
  /** How late discovery tells of what happens to it. */
  readonly lagMs: number;
  readonly isDeadInCalm: boolean;
}

export interface ProcessPlan {
  readonly name: string;
  readonly runs: boolean;
  readonly wallOffsetMs: number;
  readonly lives: readonly LifePlan[];
}

/** What befalls one incarnation of a process. */
export interface LifePlan {
  /** Crashes at the n-th time that it comes to this await, if it does. */
  readonly crashAt?:
    | { readonly checkpoint: string; readonly nth: number; readonly isAfter: boolean }
    | undefined;
  readonly crashAtMs?: number | undefined;
  readonly stopAtMs?: number | undefined;
  readonly pauses: readonly { readonly atMs: number; readonly forMs: number }[];
  readonly wallSteps: readonly { readonly atMs: number; readonly byMs: number }[];
  readonly restartAfterMs: number;
  readonly keepsName: boolean;
}

export interface LinkPlan {
  /** Probability of each kind of fault for one call on a store. */
  readonly lostRequest: number;
  readonly lostReply: number;
  readonly late: number;
  readonly twice: number;
  readonly errorBefore: number;
  readonly errorAfter: number;
  readonly slow: number;
}

/** All that is decided about a world before it begins. */
export interface Scenario {
  readonly seed: number;
  readonly ledger: LedgerKind;
  readonly chaosMs: number;
  readonly calmMs: number;
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly inlineBytes: number;
  readonly boostMs: number;
  readonly noServerMs: number;
  readonly retention:
    | { readonly payloadMs: number; readonly resultMs: number; readonly rowMs: number }
    | undefined;
  readonly hasWakeups: boolean;
  readonly models: readonly string[];
  readonly servers: readonly ServerPlan[];
  readonly processes: readonly ProcessPlan[];
  readonly link: LinkPlan;
  readonly outages: readonly { readonly atMs: number; readonly forMs: number }[];
  readonly storeSteps: readonly { readonly atMs: number; readonly byMs: number }[];
  readonly queue: QueueKind;
  readonly queueLosses: readonly { readonly atMs: number; readonly isSeen: boolean }[];
  /** When the queue alone is away. */
  readonly queueOutages: readonly { readonly atMs: number; readonly forMs: number }[];
  /** When all processes lose their connections to the queue. */
  readonly queueReconnects: readonly number[];
  readonly tasks: number;
  readonly calmTasks: number;
}

const times = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));

function planServer(
  random: Random,
  at: number,
  models: readonly string[],
  chaosMs: number,
  isDeadInCalm: boolean,
): ServerPlan {
  const flaky = random.chance(0.5) ? random.between(0.05, 0.3) : 0.02;
  return {
    id: `s${at}`,
    models,
    limit: random.integer(1, 4),
    workMs: random.pick([30, 100, 400, 1500]),
    busyRate: random.chance(0.4) ? random.between(0.05, 0.3) : 0,
    brokenRate: flaky,
    rejectRate: random.chance(0.3) ? 0.05 : 0,
    acceptsSecond: random.chance(0.4),
    findsRuns: !random.chance(0.15),
    runMs: random.pick([500, 2_000, 5_000]),
    loses202: random.chance(0.6) ? 0.4 : 0.1,
    deaths: times(random.pick([0, 0, 1, 1, 2]), () => ({
      atMs: random.between(500, chaosMs),
      forMs: random.pick([200, 2_000, 8_000]),
    })),
    lagMs: random.pick([10, 500, 4_000]),
    isDeadInCalm,
  };
}

function planLife(
  random: Random,
  checkpoints: readonly string[],
  chaosMs: number,
  leaseMs: number,
): LifePlan {
  const crashes = random.chance(0.8);
  const byName = crashes && random.chance(0.75);
  return {
    crashAt: byName
      ? {
          checkpoint: random.pick(checkpoints),
          nth: 1 + Math.floor(random.next() ** 3 * 12),
          isAfter: random.chance(0.5),
        }
      : undefined,
    crashAtMs: crashes && !byName ? random.between(500, chaosMs) : undefined,
    stopAtMs: random.chance(0.15) ? random.between(2_000, chaosMs) : undefined,
    pauses: times(random.pick([0, 0, 1, 2]), () => ({
      atMs: random.between(500, chaosMs),
      forMs: leaseMs * random.between(0.3, 3),
    })),
    wallSteps: random.chance(0.2)
      ? [{ atMs: random.between(500, chaosMs), byMs: random.pick([-3_600_000, -5_000, 5_000, 3_600_000]) }]
      : [],
    restartAfterMs: random.pick([20, 500, 3_000, 10_000]),
    keepsName: random.chance(0.6),
  };
}

/** Decides everything about the world of one seed. The ledger is not part of it, so that both meet the same world. */
export function planScenario(seed: number, ledger: LedgerKind, checkpoints: readonly string[]): Scenario {
  const random = new Random(seed, "scenario");
  const ofQueue = new Random(seed, "queue");
  const chaosMs = random.pick([12_000, 20_000, 30_000]);
  const leaseMs = random.pick([2_000, 4_000, 10_000]);
  const models = times(random.integer(2, 4), (at) => `m${at}`);
  const deadModel = random.chance(0.5) ? models[0] : undefined;
  const servers: ServerPlan[] = models.map((model, at) =>
    planServer(random, at, [model], chaosMs, model === deadModel),
  );
  const shared = random.integer(0, 2);
  for (let at = 0; at < shared; at++) {
    const some = models.filter((model) => model !== deadModel && random.chance(0.7));
    if (some.length > 0) servers.push(planServer(random, servers.length, some, chaosMs, false));
  }
  const trouble = random.chance(0.15) ? 0 : random.pick([0.005, 0.02, 0.05]);
  const rate = (): number => (random.chance(0.6) ? trouble : 0);
  return {
    seed,
    ledger,
    chaosMs,
    // A lane is judged to be stuck only after a while; without a dead server there is nothing to wait for.
    calmMs: deadModel === undefined ? 6_000 : 20_000,
    leaseMs,
    pollMs: random.pick([500, 1_500, 3_000]),
    inlineBytes: random.pick([0, 48, 100_000]),
    boostMs: random.pick([0, 1_000, 3_600_000, 1e14]),
    noServerMs: random.chance(0.15) ? 5_000 : 900_000,
    retention: random.chance(0.25)
      ? { payloadMs: 5_000, resultMs: random.pick([15_000, 3_600_000]), rowMs: 86_400_000 }
      : undefined,
    hasWakeups: random.chance(0.7),
    models,
    servers,
    processes: times(random.integer(2, 3), (at) => ({
      name: `p${at}`,
      runs: at === 0 || !random.chance(0.15),
      wallOffsetMs: random.pick([0, 0, -60_000, 250, 3_600_000]),
      lives: times(3, () => planLife(random, checkpoints, chaosMs, leaseMs)),
    })),
    link: {
      lostRequest: rate(),
      lostReply: rate(),
      late: rate(),
      twice: rate(),
      errorBefore: rate(),
      errorAfter: rate(),
      slow: rate(),
    },
    outages: random.chance(0.3)
      ? [{ atMs: random.between(1_000, chaosMs), forMs: random.between(200, 2 * leaseMs) }]
      : [],
    storeSteps: random.chance(0.12)
      ? [{ atMs: random.between(1_000, chaosMs), byMs: random.pick([-4_000, 1_500, 8_000]) }]
      : [],
    queue: ofQueue.chance(0.5) ? "keyed" : "banded",
    queueLosses: times(random.pick([0, 1, 1, 2]), () => {
      return { atMs: random.between(500, chaosMs), isSeen: ofQueue.chance(0.3) };
    }),
    queueOutages: ofQueue.chance(0.3)
      ? [{ atMs: ofQueue.between(1_000, chaosMs), forMs: ofQueue.pick([500, 3_000, 8_000]) }]
      : [],
    queueReconnects: times(ofQueue.pick([0, 1, 2]), () => ofQueue.between(500, chaosMs)),
    tasks: random.integer(12, 30),
    calmTasks: random.integer(2, 6),
  };
}
