import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Deployments, Gateway } from "@modelgate/core";
import Docker from "dockerode";
import { type OpenGateway, openGateway } from "./open-gateway.ts";
import { Timeline } from "./timeline.ts";

const MODEL = "nlp";
const IDLE_TTL_MS = 3_000;
const TEXT = "Dr. Maria Keller saw Mr. John Smith on 12 March 2024 in Berlin.";

/**
 * Two gateways on one store, and a model that runs nowhere. The first request starts its container, the next one finds
 * it there; the gateway that started it goes, and the other takes it down when it was idle, and starts it again when it
 * is asked. Rejects when anything is otherwise; what it made is gone afterwards.
 */
export async function story(socketPath: string, say: (line: string) => void): Promise<Timeline> {
  const docker = new Docker({ socketPath });
  const prefix = `modelgate-example-${process.pid}-`;
  const directory = await mkdtemp(join(tmpdir(), "modelgate-docker-on-demand-"));
  const timeline = new Timeline(say);
  const opened: OpenGateway[] = [];
  const open = async (name: string): Promise<OpenGateway> => {
    const gateway = await openGateway({ name, socketPath, directory, prefix });
    opened.push(gateway);
    timeline.follow(name, gateway.gateway);
    return gateway;
  };
  const containers = async (): Promise<readonly string[]> => {
    const all = await docker.listContainers({ all: true, filters: { name: [`^/${prefix}`] } });
    return all.map(({ Id }) => Id);
  };

  try {
    const first = await open("first");
    const second = await open("second");
    const modelUri = "example:nlp";
    await deploymentsOf(first.gateway).configurations.create({
      ...{ model: MODEL, modelUri, idleTtlMs: IDLE_TTL_MS },
    });
    assert.deepEqual(await containers(), []);
    timeline.tell("story", "the model is known and runs nowhere");

    await ask(second.gateway, timeline);
    const [container, ...others] = await containers();
    assert.ok(container !== undefined && others.length === 0);
    timeline.tell("story", "one container appeared", container.slice(0, 12));

    await ask(first.gateway, timeline);
    assert.deepEqual(await containers(), [container]);
    timeline.tell("story", "the next request found it there");

    await first.close();
    timeline.tell("story", "the first gateway has gone");
    await until(async () => (await containers()).length === 0, IDLE_TTL_MS + 15_000);
    timeline.tell("story", "the second one took the idle container down");
    assert.ok(timeline.lastOf("model draining") > timeline.lastOf("task succeeded"));
    await until(() => timeline.statesSeenBy("second").at(-1) === "gone", 5_000);

    await ask(second.gateway, timeline);
    const [again] = await containers();
    assert.ok(again !== undefined && again !== container);
    timeline.tell("story", "and started a new one when it was asked", again.slice(0, 12));

    await deploymentsOf(second.gateway).remove(MODEL);
    assert.deepEqual(await containers(), []);
    await until(() => timeline.statesSeenBy("second").at(-1) === "gone", 5_000);
    // It may have been looking elsewhere while the other one began.
    const seen = timeline.statesSeenBy("second").filter((state) => state !== "waiting");
    const life = ["deploying", "ready", "draining", "stopping", "gone"];
    assert.deepEqual(seen.slice(seen[0] === "deploying" ? 1 : 0), [...life.slice(1), ...life]);
    timeline.tell("story", "nothing is left");
    return timeline;
  } finally {
    for (const gateway of opened) await gateway.close();
    for (const id of await containers()) await docker.getContainer(id).remove({ force: true, v: true });
    await rm(directory, { recursive: true, force: true });
  }
}

/** Submits a text, waits for its end, and holds what the model found against what is in it. */
async function ask(gateway: Gateway, timeline: Timeline): Promise<void> {
  const beganMs = performance.now();
  const { id } = await gateway.submit({ model: MODEL, operation: "process", payload: TEXT });
  const { state, error } = await gateway.wait(id, { timeoutMs: 60_000 });
  assert.deepEqual([state, error], ["succeeded", undefined]);
  const { bytes } = await gateway.result(id);
  const { annotations } = JSON.parse(new TextDecoder().decode(bytes)) as {
    annotations: readonly { label_name: string; start: number; end: number }[];
  };
  const found = annotations.map(({ start, end }) => [...TEXT].slice(start, end).join(""));
  for (const entity of ["12 March 2024", "Berlin"])
    assert.ok(found.includes(entity), `${entity} was not found`);
  const tookSeconds = ((performance.now() - beganMs) / 1000).toFixed(2);
  timeline.tell("story", "answered", `after ${tookSeconds} s: ${found.join(", ")}`);
}

function deploymentsOf({ deployments }: Gateway): Deployments {
  assert.ok(deployments !== undefined);
  return deployments;
}

async function until(isSo: () => boolean | Promise<boolean>, limitMs: number): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`it was not so within ${limitMs} ms`);
    await sleep(20);
  }
}
