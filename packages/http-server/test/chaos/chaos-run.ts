import { setTimeout as sleep } from "node:timers/promises";
import { type Accepted, Clients } from "./clients.ts";
import { conclude } from "./conclude.ts";
import { type Crew, type CrewMember, MODEL, startCrew } from "./crew.ts";
import { FaultPlayer } from "./fault-player.ts";
import { missingFaults } from "./happened.ts";
import { type PlanOptions, planChaos, printPlan } from "./plan.ts";
import { Recorder } from "./recorder.ts";
import type { ChaosReport } from "./report.ts";
import type { Stage } from "./stage.ts";
import type { StoreWatch } from "./store-watch.ts";
import { type ChaosTask, makeTasks } from "./task-load.ts";
import { playWithoutBroker } from "./without-broker.ts";

export interface ChaosOptions
  extends Omit<PlanOptions, "processes" | "models" | "services" | "brokers" | "links"> {
  /** The built command. */
  readonly command: string;
  /** The bundled model server. */
  readonly modelProgram: string;
  readonly members: readonly CrewMember[];
  readonly models: readonly string[];
  readonly openStage: (folder: string, processes: readonly string[]) => Promise<Stage>;
  readonly tasks: number;
  readonly workMs: number;
  /** What each model server does at once; without it, as much as it bears. */
  readonly limit?: number | undefined;
  /** How long brokers are away before anything else goes wrong. */
  readonly withoutBrokerMs: number;
  /** How long everything is given to end once all is well. */
  readonly drainMs: number;
  /** Breaks a promise on purpose, in the store itself, so that whoever judges can be judged. */
  readonly plants?: boolean | undefined;
  /** Logs, the history and the data of the run. */
  readonly folder: string;
  readonly log: (line: string) => void;
}

const CLIENTS = 12;
const READERS = 3;
const READ_PAUSE_MS = 15;
/** After the last fault; a gateway that then accepts nothing never will. */
const SUBMIT_LIMIT_MS = 60_000;

/** Of all tasks, those that are submitted while there is no broker and all else is well. */
const SHARE_WITHOUT_BROKER = 0.08;

/** As a number in the stores. */
const FAILED_STATE = 4;

/**
 * Lets loose on real processes what can go wrong, under load, and holds what was seen from outside against what was
 * promised. The plan of the faults depends on the seed alone.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { folder, members, models, leaseMs, log } = options;
  const recorder = new Recorder(log);
  const names = members.map(({ name }) => name);
  const stage = await options.openStage(folder, names);
  let player: FaultPlayer | undefined;
  let crew: Crew | undefined;
  try {
    crew = await startCrew({
      ...{ members, models, folder, leaseMs, stage, recorder, limit: options.limit },
      ...{ command: options.command, modelProgram: options.modelProgram },
      mayFailToStart: () => player?.wasAnythingAway === true,
    });
    await crew.ready();
    await stage.watch.install();
    const links = [...crew.modelLinks, ...stage.services.flatMap((service) => service.links)];
    const plan = planChaos({
      ...{ ...options, models, processes: names, links: links.map(({ name }) => name) },
      services: stage.services.map(({ name }) => name),
      brokers: stage.brokers,
    });
    log(`seed ${options.seed}: ${plan.length} faults in ${options.chaosMs / 1_000} s\n${printPlan(plan)}`);
    const { processes } = crew;
    player = new FaultPlayer({
      ...{
        processes,
        models: crew.models,
        services: stage.services,
        brokers: stage.brokers,
        links,
        recorder,
      },
    });
    const clients = new Clients({ doors: crew.doors, recorder, seed: options.seed, model: MODEL });
    const { seed, workMs } = options;
    const tasks = makeTasks({ seed, tasks: options.tasks, workMs, backgroundShare: 0.02 });
    const count = stage.brokers.length === 0 ? 0 : Math.ceil(options.tasks * SHARE_WITHOUT_BROKER);
    const forMs = options.withoutBrokerMs;
    await playWithoutBroker({ stage, clients, doors: crew.doors, recorder, tasks, count, forMs });
    await playUnderLoad(clients, player.play(plan), tasks, { ...options, tasks: options.tasks - count });
    recorder.say(`${clients.accepted.length} tasks were accepted; all is well from here on`);
    await heal(crew, recorder);
    await drain(clients, recorder, options.drainMs);
    if (options.plants) await plantFaults(clients, stage.watch);
    await crew.stop();
    const missing = missingFaults(plan, recorder);
    for (const line of missing) recorder.complain(line);
    return await conclude({ crew, stage, recorder, accepted: clients.accepted.length, options });
  } finally {
    crew?.destroy();
    await stage.close();
  }
}

async function playUnderLoad(
  clients: Clients,
  faults: Promise<void>,
  made: Iterable<ChaosTask>,
  { tasks, chaosMs }: Pick<ChaosOptions, "tasks" | "chaosMs">,
): Promise<void> {
  const readers = Array.from({ length: READERS }, () => clients.readUntilOver(READ_PAUSE_MS));
  const limit = setTimeout(() => clients.stop(), chaosMs + SUBMIT_LIMIT_MS);
  await Promise.all([faults, clients.submitAll(made, tasks, 0.9 * chaosMs, CLIENTS)]);
  clearTimeout(limit);
  clients.stop();
  await Promise.all(readers);
}

/** Everything is there again. Model servers come back as others, so that whoever looks for a lost run learns of it. */
async function heal(crew: Crew, recorder: Recorder): Promise<void> {
  await crew.ready();
  await Promise.all(crew.models.map((model) => model.kill(0)));
  recorder.add({ kind: "phase", phase: "healed", dead: [] });
}

/** Waits for the ending of each task, then reads each once more. */
async function drain(clients: Clients, recorder: Recorder, drainMs: number): Promise<void> {
  const until = performance.now() + drainMs;
  let open: readonly Accepted[] = clients.accepted;
  while (open.length > 0 && performance.now() < until) {
    await lookAtAll(clients, open);
    open = open.filter(({ ending }) => ending === undefined);
    if (open.length > 0) await sleep(300);
  }
  recorder.say(`${open.length} tasks have not ended; each is read once more`);
  await lookAtAll(clients, clients.accepted);
}

/** A connection that was kept for the next call may have ended meanwhile; then the call is made again. */
function lookAtAll(clients: Clients, tasks: readonly Accepted[]): Promise<void> {
  return inParallel(tasks, async (task) => {
    await clients.look(task).catch(() => clients.look(task).catch(() => {}));
  });
}

/** Takes an ended task out of the store, changes the ending of another, and lets clients look once more. */
async function plantFaults(clients: Clients, { run, endedTable }: StoreWatch): Promise<void> {
  const [lost, changed] = clients.accepted.filter(({ ending }) => ending === "succeeded");
  if (lost === undefined || changed === undefined) throw new Error("too few tasks succeeded to plant faults");
  await run(`DELETE FROM ${endedTable} WHERE id = '${lost.id}'`);
  await run(`UPDATE ${endedTable} SET state = ${FAILED_STATE} WHERE id = '${changed.id}'`);
  await lookAtAll(clients, [lost, changed]);
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}
