import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { type Cluster, LEASE_MS } from "./cluster.ts";
import { endingsOf, submitTask } from "./cluster-tasks.ts";
import type { Member } from "./member.ts";
import { type Step, Trap, type When } from "./trap.ts";

export interface FaultKind {
  readonly when: When;
  readonly fate: "kill" | "pause";
}

/** What befalls the gateway that is about to take a step, or has just taken it without hearing so. */
export interface Fault extends FaultKind {
  readonly step: Step;
}

/** How long it took until all was in order again, in milliseconds. */
export interface Outcome {
  readonly fault: string;
  readonly recoveredMs: number;
}

const IDLE_TTL_S = 1;
/** Whoever wakes up has its say within this time. */
const AFTERMATH_MS = 1_000;
const GIVE_UP_MS = 30_000;

/**
 * A model's server comes for its first tasks and goes when it is idle, while one gateway meets its end on the way up and
 * one on the way down. Tasks come at those moments too.
 */
export async function liveThrough(cluster: Cluster, up: Fault, down: Fault): Promise<readonly Outcome[]> {
  const model = await cluster.onDemandModel(IDLE_TTL_S);
  const front = () => cluster.members.flatMap(({ kind, url }) => (kind === "front" && url ? [url] : []));
  const tasks: string[] = [];
  const submit = async (): Promise<void> => {
    const { id } = await submitTask(model, front);
    tasks.push(id);
  };
  const restarts: Promise<void>[] = [];
  const outcomes: Outcome[] = [];

  for (const fault of [up, down]) {
    // It may be gone by then: so there is one to go.
    const [outcome] = await Promise.all([
      suffer(cluster, model, fault, submit, restarts),
      submit(),
      submit(),
    ]);
    outcomes.push(outcome);
  }

  expect(await endingsOf(tasks, front, GIVE_UP_MS)).toEqual(tasks.map(() => "succeeded"));
  await until("everything is gone", async () => {
    const [book, containers] = await Promise.all([cluster.store.book(), cluster.containers()]);
    return book.length === 0 && containers.length === 0;
  });
  await Promise.all(restarts);
  const creates = cluster.diary.creates(model);
  expect(Object.values(creates)).toEqual(Object.keys(creates).map(() => 1));
  expect(cluster.diary.mostAtOnce(model)).toBe(1);
  expect(cluster.stops.filter(({ inFlight }) => inFlight > 0)).toEqual([]);
  return outcomes;
}

/** Resolves when the others have put all in order, and the one that stood still has found its place among them. */
async function suffer(
  cluster: Cluster,
  model: string,
  { step, when, fate }: Fault,
  submit: () => Promise<void>,
  restarts: Promise<void>[],
): Promise<Outcome> {
  const fault = `${fate} ${when} it could ${step.name}`;
  const trap = new Trap(step, when);
  cluster.traps.current = trap;
  const caught = await Promise.race([trap.caught, sleep(GIVE_UP_MS, undefined, { ref: false })]);
  const victim = caught === undefined ? undefined : cluster.members[caught];
  if (victim === undefined) throw new Error(`no gateway came to ${step.name}`);
  const ids = await cluster.store.idsOf(victim.name);
  const startMs = performance.now();
  if (fate === "kill") {
    await victim.kill();
    trap.release(false);
    restarts.push(victim.start());
  } else {
    victim.pause();
  }
  try {
    await submit();
    await until(
      `all is in order after: ${fault}`,
      () => isInOrder(cluster, model, ids),
      // A gateway was up all the time.
      2 * LEASE_MS - (performance.now() - startMs),
    );
    return { fault, recoveredMs: Math.round(performance.now() - startMs) };
  } finally {
    if (fate === "pause") await wakeUp(cluster, victim, trap, startMs);
  }
}

/** Lets it go on where it stood still for longer than the others waited for it. */
async function wakeUp(cluster: Cluster, victim: Member, trap: Trap, sinceMs: number): Promise<void> {
  await sleep(Math.max(0, 1.5 * LEASE_MS - (performance.now() - sinceMs)));
  victim.resume();
  trap.release(true);
  await sleep(AFTERMATH_MS);
  expect(await strays(cluster)).toEqual([]);
}

/** Whether nothing waits for those that are gone, each container has its record and each record its container. */
async function isInOrder(cluster: Cluster, model: string, gone: readonly string[]): Promise<boolean> {
  const book = await cluster.store.book();
  if (book.some(({ driver }) => driver !== undefined && gone.includes(driver))) return false;
  if ((await strays(cluster)).length > 0) return false;
  const containers = await cluster.containers();
  return book.every(({ phase, generation }) => {
    if (phase !== "ready" && phase !== "draining") return true;
    const own = containers.find(({ Labels }) => Labels["modelgate.generation"] === generation);
    return own?.State === "running" && own.Labels["modelgate.model"] === model;
  });
}

/** Containers that no record stands for. */
async function strays(cluster: Cluster): Promise<readonly string[]> {
  // In this order: what is made after the look at the containers is not missed in the book.
  const containers = await cluster.containers();
  const known = new Set((await cluster.store.book()).map(({ generation }) => generation));
  return containers.flatMap(({ Id, Labels }) =>
    known.has(Labels["modelgate.generation"] ?? "") ? [] : [Id],
  );
}

async function until(what: string, isSo: () => Promise<boolean>, limitMs = GIVE_UP_MS): Promise<void> {
  const untilMs = performance.now() + limitMs;
  while (!(await isSo())) {
    if (performance.now() > untilMs)
      throw new Error(`it took more than ${Math.round(limitMs)} ms until ${what}`);
    await sleep(50);
  }
}
