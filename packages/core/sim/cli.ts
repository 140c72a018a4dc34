import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { RULES } from "../src/testing/checker/index.ts";
import { type Patch, PLANTED_FAULTS, type PlantedFault, plantedFault, wrapOf } from "./planted/index.ts";
import { runPool, seedsFrom } from "./pool.ts";
import type { LedgerKind } from "./scenario.ts";
import { printFailure, Summary } from "./summary.ts";
import { printTimeline } from "./timeline.ts";
import type { SeedReport } from "./worker.ts";
import { runSeed } from "./world.ts";

/** Bundles the worker with these places of the source replaced; resolves its path. */
export type BuildWorker = (patches: readonly Patch[]) => Promise<string>;

const HELP = `Runs whole worlds of gateways, servers, clients and stores under a virtual clock and judges each.

  npm run sim -- --seeds 10000            the seeds 1 to 10000, on both ledgers
  npm run sim -- --seconds 60             fresh seeds for about a minute
  npm run sim -- --seed 123 --trace       one seed, as a readable timeline
  npm run sim -- --planted [name]         plants known mistakes, each of which must be found

  --seeds N       how many seeds (default 200; with --planted at most so many for each, default 1000)
  --from N        the first seed (default 1)
  --seed N        this seed alone
  --trace         with --seed: prints the whole history
  --ledger KIND   native, composed or both (default both)
  --seconds N     stops after N seconds; seeds are fresh unless --from is given
  --planted       all planted faults, or the one named after it
  --jobs N        threads (default: the processors of this machine)`;

/** Failing worlds that are printed before a run is given up. */
const MAX_FAILURES = 5;
const CHUNK = 10;

interface Options {
  readonly seeds: number | undefined;
  readonly from: number | undefined;
  readonly seed: number | undefined;
  readonly trace: boolean;
  readonly ledgers: readonly LedgerKind[];
  readonly seconds: number | undefined;
  readonly planted: string | boolean;
  readonly jobs: number;
}

function count(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0)
    throw new Error(`--${name} must be a whole number; it is ${value}`);
  return number;
}

function readOptions(args: readonly string[]): Options | "help" {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seeds: { type: "string" },
      from: { type: "string" },
      seed: { type: "string" },
      trace: { type: "boolean", default: false },
      ledger: { type: "string", default: "both" },
      seconds: { type: "string" },
      planted: { type: "boolean", default: false },
      jobs: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const { ledger } = values;
  if (ledger !== "native" && ledger !== "composed" && ledger !== "both") {
    throw new Error(`--ledger must be native, composed or both; it is ${ledger}`);
  }
  const [name, ...rest] = positionals;
  if (rest.length > 0 || (name !== undefined && !values.planted))
    throw new Error(`not understood: ${positionals.join(" ")}`);
  return {
    seeds: count("seeds", values.seeds),
    from: count("from", values.from),
    seed: count("seed", values.seed),
    trace: values.trace,
    ledgers: ledger === "both" ? ["native", "composed"] : [ledger],
    seconds: count("seconds", values.seconds),
    planted: name ?? values.planted,
    jobs: count("jobs", values.jobs) ?? availableParallelism(),
  };
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** Runs what the command line asks for; resolves the exit code. */
export async function main(args: readonly string[], build: BuildWorker): Promise<number> {
  let options: Options | "help";
  try {
    options = readOptions(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}\n`);
    return 2;
  }
  if (options === "help") {
    print(HELP);
    return 0;
  }
  if (options.planted !== false) return await runPlanted(options, build);
  if (options.seed !== undefined && options.trace) return await trace(options.seed, options.ledgers);
  return await runSeeds(options, build);
}

async function trace(seed: number, ledgers: readonly LedgerKind[]): Promise<number> {
  let failed = 0;
  for (const ledger of ledgers) {
    const { history, violations, counts, virtualMs } = await runSeed(seed, ledger, wrapOf(undefined));
    print(`--- seed ${seed}, ${ledger} ledger`);
    print(printTimeline(history));
    print(
      `--- ${history.length} events, ${Math.round(virtualMs)} ms, faults ${JSON.stringify(counts.faults)}`,
    );
    for (const { rule, atMs, message, id } of violations) {
      print(
        `BROKEN ${rule} at ${atMs.toFixed(1)}${id === undefined ? "" : ` (${id})`}: ${message}\n       ${RULES[rule]}`,
      );
    }
    failed += violations.length;
  }
  return failed > 0 ? 1 : 0;
}

async function runSeeds(options: Options, build: BuildWorker): Promise<number> {
  const { ledgers, jobs, seconds } = options;
  const isTimed = seconds !== undefined;
  const from = options.seed ?? options.from ?? (isTimed ? 1 + Math.floor(Math.random() * 2 ** 31) : 1);
  const seeds = options.seed !== undefined ? 1 : (options.seeds ?? (isTimed ? Number.MAX_SAFE_INTEGER : 200));
  const endsAtMs = isTimed ? performance.now() + seconds * 1000 : Number.POSITIVE_INFINITY;
  print(
    `seeds from ${from}${isTimed ? ` for ${seconds} s` : `, ${seeds} of them`}, ${ledgers.join(" and ")} ledger, ${jobs} threads`,
  );
  const summary = new Summary(ledgers);
  const give = seedsFrom(from, seeds, CHUNK);
  let saidAtMs = performance.now();
  await runPool({
    ...{ worker: await build([]), jobs: Math.min(jobs, Math.ceil(seeds / CHUNK)), ledgers },
    next: () => (performance.now() < endsAtMs ? give() : undefined),
    onReport: (report) => {
      summary.add(report);
      if (summary.failures.at(-1) === report) print(printFailure(report));
      if (performance.now() - saidAtMs > 20_000) {
        saidAtMs = performance.now();
        print(`... ${summary.seeds} seeds`);
      }
      return summary.failures.length < MAX_FAILURES;
    },
  });
  print(summary.print());
  const complaints = summary.complaints();
  for (const complaint of complaints) print(`FAILED: ${complaint}`);
  return summary.failures.length > 0 || complaints.length > 0 ? 1 : 0;
}

async function runPlanted(options: Options, build: BuildWorker): Promise<number> {
  const { planted } = options;
  const named = typeof planted === "string" ? plantedFault(planted) : undefined;
  if (typeof planted === "string" && named === undefined) {
    print(
      `no planted fault is called ${planted}; there are:\n${PLANTED_FAULTS.map(({ name, says }) => `  ${name}: ${says}`).join("\n")}`,
    );
    return 2;
  }
  const faults = named === undefined ? PLANTED_FAULTS : [named];
  let missed = 0;
  for (const fault of faults) {
    const found = await huntPlanted(fault, options, build);
    if (found === undefined) missed += 1;
    print(found ?? `MISSED  ${fault.name}: ${fault.says}`);
  }
  print(`${faults.length - missed} of ${faults.length} planted faults found`);
  return missed > 0 ? 1 : 0;
}

/** Runs seeds with the fault planted until one of its rules is found broken. */
async function huntPlanted(
  fault: PlantedFault,
  options: Options,
  build: BuildWorker,
): Promise<string | undefined> {
  const ledgers = fault.ledgers.filter((ledger) => options.ledgers.includes(ledger));
  const startedMs = performance.now();
  let caught: SeedReport | undefined;
  let crash: string | undefined;
  const from = options.seed ?? options.from ?? 1;
  await runPool({
    ...{ worker: await build(fault.patches ?? []), jobs: options.jobs, ledgers, planted: fault.name },
    next: seedsFrom(from, options.seed === undefined ? (options.seeds ?? 1_000) : 1, 2),
    onReport: (report) => {
      crash ??= report.crash;
      if (report.violations.some(({ rule }) => fault.breaks.includes(rule))) caught ??= report;
      return caught === undefined;
    },
  });
  if (caught === undefined) return crash === undefined ? undefined : `CRASHED ${fault.name}: ${crash}`;
  if (options.trace) print(printFailure(caught, fault.name));
  const broken = caught.violations.find(({ rule }) => fault.breaks.includes(rule));
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  return `found   ${fault.name.padEnd(30)} ${String(caught.seed - from + 1).padStart(4)} seeds ${seconds.padStart(5)} s  ${broken?.rule} (seed ${caught.seed}, ${caught.ledger}): ${broken?.message}`;
}
