import { CHECKPOINTS } from "../src/checkpoint.ts";
import type { LedgerKind } from "./scenario.ts";
import type { SeedReport } from "./worker.ts";

/** A run of fewer seeds says nothing of awaits that it did not crash. */
const SEEDS_FOR_COVERAGE = 1_000;
/** Share of the seeds that must have held a fault during an attempt. */
const MIN_FAULTY_SHARE = 0.95;

function sorted(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

/** Adds up what many worlds held. */
export class Summary {
  readonly #ledgers: readonly LedgerKind[];
  readonly #startedMs = performance.now();
  readonly #faults = new Map<string, number>();
  readonly #inAttempt = new Map<string, number>();
  readonly #crashed = new Map<string, number>();
  readonly #seeds = new Set<number>();
  readonly #faulty = new Set<number>();
  readonly failures: SeedReport[] = [];
  #runs = 0;
  #events = 0;
  #virtualMs = 0;

  constructor(ledgers: readonly LedgerKind[]) {
    this.#ledgers = ledgers;
  }

  add(report: SeedReport): void {
    const { seed, counts, events, virtualMs } = report;
    this.#seeds.add(seed);
    this.#runs += 1;
    this.#events += events;
    this.#virtualMs += virtualMs;
    if (Object.keys(counts.faultsInAttempt).length > 0) this.#faulty.add(seed);
    const merge = (into: Map<string, number>, from: Readonly<Record<string, number>>): void => {
      for (const [name, count] of Object.entries(from)) into.set(name, (into.get(name) ?? 0) + count);
    };
    merge(this.#faults, counts.faults);
    merge(this.#inAttempt, counts.faultsInAttempt);
    merge(this.#crashed, counts.crashed);
    if (report.violations.length > 0 || report.crash !== undefined) this.failures.push(report);
  }

  get seeds(): number {
    return this.#seeds.size;
  }

  /** Awaits of the chosen ledgers that no world crashed. */
  get neverCrashed(): readonly string[] {
    const isMet = (name: string): boolean => this.#ledgers.includes("composed") || !isOfQueue(name);
    return CHECKPOINTS.filter((name) => isMet(name) && !this.#crashed.has(name));
  }

  /** Why the run cannot count as a proof, if it cannot. */
  complaints(): string[] {
    const complaints: string[] = [];
    const share = this.#faulty.size / Math.max(1, this.#seeds.size);
    if (this.#seeds.size >= 100 && share < MIN_FAULTY_SHARE) {
      complaints.push(`only ${(100 * share).toFixed(1)} % of the seeds held a fault during an attempt`);
    }
    if (this.#seeds.size >= SEEDS_FOR_COVERAGE && this.neverCrashed.length > 0) {
      complaints.push(`never crashed: ${this.neverCrashed.join(", ")}`);
    }
    return complaints;
  }

  print(): string {
    const seconds = (performance.now() - this.#startedMs) / 1000;
    const share = (100 * this.#faulty.size) / Math.max(1, this.#seeds.size);
    const crashed = CHECKPOINTS.filter((name) => this.#crashed.has(name)).length;
    return [
      `seeds      ${this.#seeds.size} (${this.#ledgers.join(" and ")}: ${this.#runs} worlds) in ${seconds.toFixed(1)} s, ${(this.#seeds.size / seconds).toFixed(1)} seeds/s`,
      `worlds     ${Math.round(this.#events / Math.max(1, this.#runs))} events and ${Math.round(this.#virtualMs / Math.max(1, this.#runs) / 1000)} s of virtual time each`,
      `faults     ${sorted(this.#faults)}`,
      `in attempt ${sorted(this.#inAttempt)}`,
      `           ${share.toFixed(1)} % of the seeds held a fault during an attempt`,
      `crashed    ${sorted(this.#crashed)}`,
      `           ${crashed} of ${CHECKPOINTS.length} labelled awaits${this.neverCrashed.length === 0 ? "" : `; never: ${this.neverCrashed.join(", ")}`}`,
      `failed     ${this.failures.length} worlds`,
    ].join("\n");
  }
}

/** Awaits that only a ledger with a queue has. */
function isOfQueue(name: string): boolean {
  if (name.startsWith("ledger.")) return true;
  return (
    name.startsWith("reconciler.") &&
    !["reconciler.sweep", "reconciler.stats", "reconciler.forget-objects"].includes(name)
  );
}

/** A failing world for people: what broke, what led to it, and how to see it again. */
export function printFailure(
  { seed, ledger, violations, story, crash }: SeedReport,
  planted?: string,
): string {
  const how = `npm run sim -- --seed ${seed} --ledger ${ledger}${planted === undefined ? "" : ` --planted ${planted}`} --trace`;
  if (crash !== undefined)
    return `seed ${seed}, ${ledger} ledger: the simulation itself failed\n${crash}\n${how}`;
  const broken = violations.map(({ rule, atMs, message, id, server }) => {
    const about = [id, server].filter((part) => part !== undefined).join(" on ");
    return `  ${rule} at ${atMs.toFixed(1)} ms${about === "" ? "" : ` (${about})`}: ${message}`;
  });
  return [
    `seed ${seed}, ${ledger} ledger, breaks:`,
    ...broken,
    "what led to the first:",
    story ?? "",
    how,
  ].join("\n");
}
