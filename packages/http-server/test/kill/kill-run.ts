import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../support/free-port.ts";
import { randomOf } from "../support/random.ts";
import { send } from "../support/send.ts";
import { GatewayProcess, type KilledGateway } from "./gateway-process.ts";
import { type Acknowledged, History } from "./history.ts";
import { look, readUntilOver, submitUntilOver } from "./load.ts";

export interface KillRunOptions {
  /** The built command, or a gateway that is started otherwise and whose model `nlp` is at `modelUrl`. */
  readonly command: string | KilledGateway;
  /** A model server with its control routes open; it lives through the whole run. */
  readonly modelUrl: string;
  readonly kills: number;
  readonly clients?: number | undefined;
  readonly seed?: number | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

export interface KillReport {
  readonly kills: number;
  readonly killsInRecovery: number;
  readonly submittedUp: number;
  readonly acceptedUp: number;
  readonly acknowledged: number;
  readonly succeeded: number;
  readonly reads: number;
  readonly sentAgain: number;
  /** The most calls that the model server saw at once. */
  readonly slots: number;
  readonly sentAgainAllowed: number;
  readonly violations: readonly string[];
}

const READERS = 2;
const WORK_MS = 25;
const DRAIN_LIMIT_MS = 120_000;

/**
 * Kills `modelgate serve` again and again under load, every third time while it recovers from the last kill, and then
 * holds what clients saw against what was promised.
 */
export async function killRun(options: KillRunOptions): Promise<KillReport> {
  const { command, modelUrl, kills, clients = 6, seed = Date.now(), log = () => {} } = options;
  const random = randomOf(seed);
  log(`seed ${seed}`);
  const dataDir = await mkdtemp(join(tmpdir(), "modelgate-kill-"));
  const gateway: KilledGateway =
    typeof command === "string"
      ? new GatewayProcess({ command, modelUrl, dataDir, port: await freePort() })
      : command;
  const history = new History();
  let isOver = false;
  const load = { gateway, history, random, isOver: () => isOver };
  try {
    await resetModel(modelUrl);
    await gateway.startAndListen();
    const loops = [
      ...Array.from({ length: clients }, (_, client) => submitUntilOver(client, load)),
      ...Array.from({ length: READERS }, () => readUntilOver(load)),
    ];
    const killsInRecovery = await killAll(gateway, kills, random, log);
    await sleep(500);
    isOver = true;
    await Promise.all(loops);
    log(`${history.acknowledged.length} tasks acknowledged; waiting for their endings`);
    const results = await readEndings(gateway, history);
    const stats = await readStats(modelUrl);
    await compareWithServer(modelUrl, history, results);
    if ((await gateway.stop()) !== 0) history.violations.push("the last stop was not a clean one");
    return judge(history, { kills, killsInRecovery, ...stats, succeeded: results.size });
  } finally {
    isOver = true;
    await gateway.kill().catch(() => {});
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function killAll(
  gateway: KilledGateway,
  kills: number,
  random: () => number,
  log: (line: string) => void,
): Promise<number> {
  let inRecovery = 0;
  for (let kill = 1; kill <= kills; kill += 1) {
    if (kill % 3 === 0) {
      inRecovery += 1;
      // It was just started by the turn before: half of these come before it listens, half right after.
      await sleep(random() * 150);
    } else {
      await sleep(500 + random() * 900);
    }
    await gateway.kill();
    const next = gateway.start();
    const isNextInRecovery = (kill + 1) % 3 === 0 && kill < kills;
    if (isNextInRecovery && random() < 0.5) {
      log(`kill ${kill} of ${kills}; the next comes before it listens`);
      continue;
    }
    if (!(await next.listening)) throw new Error("the gateway did not start again");
    log(`kill ${kill} of ${kills}`);
  }
  return inRecovery;
}

/** Waits until every acknowledged task has ended, and reads each result. */
async function readEndings(gateway: KilledGateway, history: History): Promise<ReadonlyMap<string, Buffer>> {
  const results = new Map<string, Buffer>();
  const until = performance.now() + DRAIN_LIMIT_MS;
  let open: readonly Acknowledged[] = history.acknowledged;
  while (open.length > 0 && performance.now() < until) {
    await inParallel(open, async (task) => {
      const result = await look(gateway, history, task);
      if (result !== undefined) results.set(task.id, result);
    });
    open = open.filter(({ id }) => history.endingOf(id) === undefined);
    if (open.length > 0) await sleep(200);
  }
  for (const { id } of open) history.violations.push(`${id} was acknowledged and never ended`);
  return results;
}

/** Every result must be what the server answers to the same text now. */
async function compareWithServer(
  modelUrl: string,
  history: History,
  results: ReadonlyMap<string, Buffer>,
): Promise<void> {
  await send(`${modelUrl}/_faults`, { method: "DELETE" });
  await inParallel(history.acknowledged, async ({ id, operation, text }) => {
    const result = results.get(id);
    const ending = history.endingOf(id);
    if (result === undefined) {
      if (ending !== undefined) history.violations.push(`${id} ended as ${ending} without a result`);
      return;
    }
    const headers = { "content-type": "text/plain" };
    const direct = await send(`${modelUrl}/${operation}`, { method: "POST", headers, body: text });
    if (!direct.body.equals(result)) history.violations.push(`${id} has a wrong result`);
  });
}

async function resetModel(modelUrl: string): Promise<void> {
  await send(`${modelUrl}/_faults`, { method: "DELETE" });
  await send(`${modelUrl}/_stats`, { method: "DELETE" });
  const body = JSON.stringify({ kind: "delay", next: null, ms: WORK_MS });
  const { status } = await send(`${modelUrl}/_faults`, { method: "POST", body });
  if (status !== 200)
    throw new Error(`the model server has no fault switch (${status}); start it with --faults`);
}

/** A server's number of slots rises while it keeps up, so what the server saw at once is what it was given at most. */
async function readStats(modelUrl: string): Promise<{ readonly sentAgain: number; readonly slots: number }> {
  const { body } = await send(`${modelUrl}/_stats?least_received=2`);
  const { texts, peak } = JSON.parse(body.toString()) as {
    texts: Record<string, { received: number }>;
    peak: number;
  };
  return {
    sentAgain: Object.values(texts).reduce((sum, { received }) => sum + received - 1, 0),
    slots: peak,
  };
}

interface Counted {
  readonly kills: number;
  readonly killsInRecovery: number;
  readonly sentAgain: number;
  readonly slots: number;
  readonly succeeded: number;
}

function judge(history: History, counted: Counted): KillReport {
  const { submittedUp, acceptedUp, reads, acknowledged } = history;
  const sentAgainAllowed = counted.slots * counted.kills;
  const violations = [...history.violations];
  if (acceptedUp < 0.9 * submittedUp)
    violations.push(`only ${acceptedUp} of ${submittedUp} submissions were accepted`);
  if (counted.sentAgain > sentAgainAllowed) {
    violations.push(`${counted.sentAgain} texts were sent again; ${sentAgainAllowed} are allowed`);
  }
  if (acknowledged.length < 20 * counted.kills)
    violations.push(`the load was no load: ${acknowledged.length} tasks`);
  return {
    ...counted,
    submittedUp,
    acceptedUp,
    reads,
    acknowledged: acknowledged.length,
    sentAgainAllowed,
    violations,
  };
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}
