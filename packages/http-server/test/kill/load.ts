import { setTimeout as sleep } from "node:timers/promises";
import { send } from "../support/send.ts";
import type { KilledGateway } from "./gateway-process.ts";
import type { Acknowledged, History } from "./history.ts";

export interface LoadOptions {
  readonly gateway: KilledGateway;
  readonly history: History;
  readonly random: () => number;
  readonly isOver: () => boolean;
}

/** Submits one text after the other, each only once. */
export async function submitUntilOver(client: number, options: LoadOptions): Promise<void> {
  const { gateway, history, random, isOver } = options;
  for (let count = 0; !isOver(); count += 1) {
    const operation = random() < 0.5 ? "process" : "redact";
    const text = textOf(client, count, random());
    const { isUp } = gateway;
    if (isUp) history.submittedUp += 1;
    const target = `/models/nlp/tasks/${operation}?priority=${Math.floor(random() * 11)}`;
    try {
      const { status, body } = await send(gateway.url + target, {
        method: "POST",
        headers: { "content-type": "text/plain" },
        body: text,
      });
      if (status === 200) {
        const { uuid } = JSON.parse(body.toString()) as { uuid: string };
        history.accept({ id: uuid, operation, text });
        if (isUp) history.acceptedUp += 1;
      }
    } catch {
      // Nobody knows what became of it, and so nobody counts on it.
    }
    await sleep(10 + random() * 10);
  }
}

/** Mostly a short note; sometimes one that is too large for the database and goes to a file. */
function textOf(client: number, count: number, random: number): string {
  const repeats = random < 0.05 ? 900 : Math.ceil(random * 40);
  return `note ${client}/${count}: ${"Patient diagnosed with loss of kidney function. ".repeat(repeats)}`;
}

/** Looks at random acknowledged tasks, and writes down what it sees. */
export async function readUntilOver({ gateway, history, random, isOver }: LoadOptions): Promise<void> {
  while (!isOver()) {
    const task = history.acknowledged[Math.floor(random() * history.acknowledged.length)];
    if (task !== undefined && gateway.isUp) await look(gateway, history, task).catch(() => {});
    await sleep(2);
  }
}

/** Reads state and result once. Rejects when the gateway does not answer. */
export async function look(
  gateway: KilledGateway,
  history: History,
  { id }: Acknowledged,
): Promise<Buffer | undefined> {
  const { status, body } = await send(`${gateway.url}/tasks/${id}`);
  if (status === 404) history.sawMissing(id, status);
  if (status !== 200) return undefined;
  const { status: state } = JSON.parse(body.toString()) as { status: string };
  history.sawState(id, state);
  if (state !== "succeeded") return undefined;
  const download = await send(`${gateway.url}/tasks/${id}?download=true`);
  if (download.status !== 200) {
    if (download.status < 500) history.sawMissing(id, download.status);
    return undefined;
  }
  history.sawResult(id, download.body);
  return download.body;
}
