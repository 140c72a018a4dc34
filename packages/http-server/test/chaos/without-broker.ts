import { setTimeout as sleep } from "node:timers/promises";
import { send } from "../support/send.ts";
import type { Clients, Door } from "./clients.ts";
import type { Recorder } from "./recorder.ts";
import type { Stage, StageService } from "./stage.ts";
import type { ChaosTask } from "./task-load.ts";

export interface WithoutBrokerOptions {
  readonly stage: Stage;
  readonly clients: Clients;
  readonly doors: readonly Door[];
  readonly recorder: Recorder;
  /** Those to submit, in turn. */
  readonly tasks: Iterator<ChaosTask>;
  /** How many of them. */
  readonly count: number;
  /** How long brokers are away, in all. */
  readonly forMs: number;
}

const CLIENTS = 4;
const LOOK_MS = 100;
/** A training waits until a server is free, and is asked after from time to time. */
const PATIENCE_MS = 20_000;

/**
 * Before anything else goes wrong the brokers are taken away, once as if nobody listened and once as if nothing passed.
 * Nothing excuses a refusal then: every task has to be accepted at once and to end, and gateways stay ready.
 */
export async function playWithoutBroker(options: WithoutBrokerOptions): Promise<void> {
  const { stage, recorder, count, forMs } = options;
  const names = stage.brokers.map(({ name }) => name);
  const services = stage.services.filter(({ name }) => names.some((broker) => broker === name));
  if (services.length === 0) return;
  const half = { ...options, count: Math.ceil(count / 2), forMs: forMs / 2 };
  await away("nobody listens at", services, half, (links) => {
    for (const link of links) link.refuse();
  });
  for (const { links } of services) await Promise.all(links.map((link) => link.open()));
  await away("nothing passes to", services, half, (links) => {
    for (const link of links) link.change({ isStalled: true });
  });
  for (const { links } of services) for (const link of links) link.change({ isStalled: false });
  recorder.count("times without the broker", 2);
}

async function away(
  how: string,
  services: readonly StageService[],
  { clients, doors, recorder, tasks, count, forMs }: WithoutBrokerOptions,
  take: (links: StageService["links"]) => void,
): Promise<void> {
  recorder.say(`${how} the broker: ${count} tasks`);
  const before = clients.accepted.length;
  for (const { links } of services) take(links);
  let isOver = false;
  const looks = watchHealth(doors, recorder, how, () => isOver);
  const beganMs = performance.now();
  await clients.submitAll(some(tasks, count), count, 0.6 * forMs, CLIENTS);
  const until = Math.max(beganMs + forMs, performance.now() + PATIENCE_MS);
  const open = (): number =>
    clients.accepted.slice(before).filter((task) => task.ending === undefined).length;
  while (open() > 0 && performance.now() < until) {
    for (const task of clients.accepted.slice(before))
      if (task.ending === undefined) await clients.look(task).catch(() => {});
    await sleep(LOOK_MS);
  }
  if (open() > 0) recorder.complain(`${open()} tasks did not end while ${how} the broker`);
  await sleep(Math.max(0, beganMs + forMs - performance.now()));
  isOver = true;
  await looks;
  for (const [name, times] of recorder.counts) {
    if (/^(submit (?!200)|read \d)/.test(name))
      recorder.complain(`while ${how} the broker: ${name}, ${times} times`);
  }
}

async function watchHealth(
  doors: readonly Door[],
  recorder: Recorder,
  how: string,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    for (const { url, by } of doors) {
      const { status } = await send(`${url}/health`).catch(() => ({ status: 0 }));
      recorder.count("looks at health");
      if (status !== 200) recorder.complain(`while ${how} the broker, the health of ${by} was ${status}`);
    }
    await sleep(LOOK_MS);
  }
}

/** Takes from the beginning, and leaves the rest for others. */
function* some<T>(items: Iterator<T>, count: number): Generator<T> {
  for (let taken = 0; taken < count; taken += 1) {
    const next = items.next();
    if (next.done) return;
    yield next.value;
  }
}
