import type { TaskRecord } from "../../contracts/task.ts";
import type { HistoryEvent, HistoryFacts, RuleName, Violation } from "./history.ts";

export function isEnded(task: Pick<TaskRecord, "state">): boolean {
  return task.state === "succeeded" || task.state === "failed" || task.state === "cancelled";
}

/** A process as far as it is known from outside. */
interface ProcessView {
  isAlive: boolean;
  isPaused: boolean;
  /** When it was last started, paused, resumed or met a fault. */
  disturbedAtMs: number;
}

/** An attempt's hold on a task in true time, as the last grant or renewal gave it. */
interface LeaseView {
  readonly attempt: number;
  readonly holder: string;
  readonly endsAtMs: number;
}

/** The world as the history has told it so far; the same for all rules. */
export interface World {
  readonly facts: HistoryFacts;
  readonly rows: ReadonlyMap<string, TaskRecord>;
  readonly leases: ReadonlyMap<string, LeaseView>;
  readonly processes: ReadonlyMap<string, ProcessView>;
  /** Processes by the name under which they hold tasks. */
  readonly holders: ReadonlyMap<string, string>;
  /** The instance of each server that is up. */
  readonly instances: ReadonlyMap<string, string>;
  readonly phase: "chaos" | "calm" | "healed" | "quiet";
  readonly phaseAtMs: number;
  readonly dead: readonly string[];
  /** The last time at which the store's clock was stepped. */
  readonly storeSteppedAtMs: number;
  /** The last fault of any kind. */
  readonly faultAtMs: number;
}

type Report = (
  rule: RuleName,
  message: string,
  about?: { readonly id?: string; readonly server?: string },
) => void;

/** Judges one subject. `before` is the row that a row event replaced; the world already holds the new one. */
interface Judge {
  see?(event: HistoryEvent, world: World, before: TaskRecord | undefined): void;
  end?(world: World): void;
}

export type MakeJudge = (report: Report, facts: HistoryFacts) => Judge;

class ReplayedWorld implements World {
  readonly facts: HistoryFacts;
  readonly rows = new Map<string, TaskRecord>();
  readonly leases = new Map<string, LeaseView>();
  readonly processes = new Map<string, ProcessView>();
  readonly holders = new Map<string, string>();
  readonly instances = new Map<string, string>();
  phase: World["phase"] = "chaos";
  phaseAtMs = 0;
  dead: readonly string[] = [];
  storeSteppedAtMs = Number.NEGATIVE_INFINITY;
  faultAtMs = Number.NEGATIVE_INFINITY;

  constructor(facts: HistoryFacts) {
    this.facts = facts;
  }

  apply(event: HistoryEvent): TaskRecord | undefined {
    switch (event.kind) {
      case "row":
        return this.#applyRow(event);
      case "exchange":
      case "claim":
        this.holders.set(`${event.runner}/${event.incarnation}`, event.by);
        return undefined;
      case "process":
        this.#applyProcess(event);
        return undefined;
      case "server":
        if (event.isUp) this.instances.set(event.server, event.instance);
        else this.instances.delete(event.server);
        return undefined;
      case "fault":
        this.faultAtMs = event.atMs;
        if (event.by !== undefined) this.#disturb(event.by, event.atMs);
        return undefined;
      case "clock":
        if (event.by === "store") this.storeSteppedAtMs = event.atMs;
        else this.#disturb(event.by, event.atMs);
        return undefined;
      case "phase":
        this.phase = event.phase;
        this.phaseAtMs = event.atMs;
        this.dead = event.dead;
        return undefined;
      default:
        return undefined;
    }
  }

  #applyRow({ task, atMs, storeMs }: HistoryEvent & { kind: "row" }): TaskRecord | undefined {
    const before = this.rows.get(task.id);
    this.rows.set(task.id, task);
    const { holder, leaseExpiresAtMs, attempt } = task;
    if (holder !== undefined && leaseExpiresAtMs !== undefined) {
      const known = this.leases.get(task.id);
      const isSame = known?.attempt === attempt && before?.leaseExpiresAtMs === leaseExpiresAtMs;
      if (!isSame)
        this.leases.set(task.id, { attempt, holder, endsAtMs: atMs + (leaseExpiresAtMs - storeMs) });
    }
    return before;
  }

  #applyProcess({ by, change, atMs }: HistoryEvent & { kind: "process" }): void {
    const known = this.processes.get(by) ?? { isAlive: false, isPaused: false, disturbedAtMs: atMs };
    if (change === "started") known.isAlive = true;
    else if (change === "crashed" || change === "stopped") known.isAlive = false;
    if (change !== "stopping") known.isPaused = change === "paused";
    known.disturbedAtMs = atMs;
    this.processes.set(by, known);
  }

  #disturb(by: string, atMs: number): void {
    const known = this.processes.get(by);
    if (known !== undefined) known.disturbedAtMs = atMs;
  }
}

/** Shows a history to the judges, event by event, and collects what they report. */
export function replay(
  history: readonly HistoryEvent[],
  facts: HistoryFacts,
  makers: readonly MakeJudge[],
): Violation[] {
  const violations: Violation[] = [];
  let atMs = 0;
  const report: Report = (rule, message, about = {}) => violations.push({ rule, atMs, message, ...about });
  const judges = makers.map((make) => make(report, facts));
  const world = new ReplayedWorld(facts);
  for (const event of history) {
    atMs = event.atMs;
    const before = world.apply(event);
    for (const judge of judges) judge.see?.(event, world, before);
  }
  for (const judge of judges) judge.end?.(world);
  return violations;
}
