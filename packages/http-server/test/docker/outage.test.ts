import { setTimeout as sleep } from "node:timers/promises";
import Dockerode from "dockerode";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OwnEngine, startEngine } from "../../../adapters-docker/test/support/own-engine.ts";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import {
  deploy,
  exitOf,
  isListedBy,
  type OutageWorld,
  openOutageWorld,
  readyAtMs,
  remove,
  runningBy,
  strays,
  until,
} from "./support/outage-world.ts";
import { TaskLoad } from "./support/task-load.ts";

/** An engine of one's own is started as the tests' services are. */
const hasDocker = requireService("DOCKER_SOCKET") !== undefined;
const isLong = process.env["MODELGATE_DOCKER_LONG"] === "1";
const OUTAGE_MS = isLong ? 30_000 : 5_000;
const RIGHT_WITHIN_MS = 2_000;
const HOWS = ["stop", "kill"] as const;
const PUT_OFF = { status: 503, retryAfter: expect.stringMatching(/^\d+$/) };

interface Figures {
  readonly liveRestore: boolean;
  readonly how: string;
  readonly outageMs: number;
  /** From the first answer of the engine, or from when the server was ready if that was later. */
  readonly foundMs: number;
  readonly tasks: number;
}

describe.skipIf(!hasDocker)("while the engine is away, under load", () => {
  const sites: { readonly engine: OwnEngine; readonly world: OutageWorld }[] = [];
  const figures: Figures[] = [];

  beforeAll(async () => {
    await Promise.all(
      [false, true].map(async (liveRestore, index) => {
        const engine = await startEngine(liveRestore);
        sites[index] = { engine, world: await openOutageWorld(engine.socket, imageOf(engine)) };
      }),
    );
  }, 90_000);
  afterAll(async () => {
    if (isLong) console.table(figures);
    await Promise.all(
      sites.map(async ({ engine, world }) => {
        await engine.start();
        await world.cluster.close();
        await engine.close();
      }),
    );
  }, 90_000);

  it.concurrent.each([false, true])(
    "tasks are taken and end, deployments are put off, and all is found as it is (live-restore %s)",
    { timeout: 4 * OUTAGE_MS + 150_000 },
    async (liveRestore) => {
      const site = sites[liveRestore ? 1 : 0];
      if (site === undefined) throw new Error("the engine was not started");
      try {
        for (const how of HOWS) {
          const found = await liveThroughOutage(site.engine, site.world, how);
          figures.push({ liveRestore, how, outageMs: OUTAGE_MS, ...found });
          expect(found.foundMs).toBeLessThan(RIGHT_WITHIN_MS);
        }
      } catch (error) {
        console.log(site.world.cluster.report());
        throw error;
      }
    },
  );
});

async function liveThroughOutage(
  engine: OwnEngine,
  world: OutageWorld,
  how: (typeof HOWS)[number],
): Promise<Pick<Figures, "foundMs" | "tasks">> {
  const { cluster, steady, manual, auto, leaving } = world;
  const [late, doomed] = [`${cluster.part.id}-late-${how}`, `${cluster.part.id}-doomed-${how}`];
  await deploy(cluster, doomed);
  // It did not survive the outage before this one.
  await cluster.part.docker
    .getContainer(leaving)
    .start()
    .catch(() => {});
  await until("all are found", async () =>
    (await isListedBy(cluster, [steady, manual, leaving, doomed])).every(Boolean),
  );
  const load = new TaskLoad([steady, manual, auto], () => cluster.urls);
  try {
    await sleep(500);
    const served = [steady, manual, leaving];
    const exits = await Promise.all(served.map((model) => exitOf(cluster, model)));
    await engine[how]();
    const awayMs = performance.now();
    // Those that the engine left running end now, and nobody is there to say so.
    await Promise.all(exits.map((exit) => exit()));
    expect(await deploy(cluster, late)).toEqual(PUT_OFF);
    expect(await remove(cluster, doomed)).toEqual(PUT_OFF);
    await sleep(Math.max(0, OUTAGE_MS - (performance.now() - awayMs)));
    await until("what ended meanwhile is not listed", async () =>
      (await runningBy(cluster)).every((running) => !served.some((model) => running.includes(model))),
    );
    const starting = engine.start();
    await until("the engine answers", () => pings(engine.socket));
    const foundMs = await timeToFind(world);
    await starting;
    await until("only what runs is listed", async () => {
      const isThere = (await readyAtMs(cluster, leaving)) !== undefined;
      return (await runningBy(cluster)).every((running) => running.includes(leaving) === isThere);
    });
    // Nothing was begun of what was refused; now it can be.
    expect((await cluster.ask(`/models/${late}/deployment`)).status).toBe(404);
    await until(
      "the doomed one is back",
      async () => (await cluster.ask(`/models/${doomed}/deployment`)).json.state === "ready",
    );
    expect((await deploy(cluster, late)).status).toBe(200);
    expect((await remove(cluster, doomed)).status).toBe(204);
    expect(await load.endings()).toEqual({ succeeded: load.ids.length });
    expect(load.refused).toEqual([]);
    expect(load.ids.length).toBeGreaterThan(OUTAGE_MS / 150);
    expect(await strays(world)).toEqual([]);
    return { foundMs, tasks: load.ids.length };
  } finally {
    await load.endings(0);
  }
}

/** How long after the engine's first answer, or after it was ready, the last of the servers was found by all gateways. */
async function timeToFind({ cluster, steady, manual }: OutageWorld): Promise<number> {
  const pingMs = Date.now();
  const times = await Promise.all(
    [steady, manual].map(async (model) => {
      await until(`${model} is found`, async () => (await isListedBy(cluster, [model])).every(Boolean));
      const foundMs = Date.now();
      return foundMs - Math.max(pingMs, (await readyAtMs(cluster, model)) ?? 0);
    }),
  );
  return Math.max(...times);
}

async function pings(socketPath: string): Promise<boolean> {
  return await new Dockerode({ socketPath }).ping().then(
    () => true,
    () => false,
  );
}

function imageOf(engine: OwnEngine): string {
  return engine.env["DOCKER_TEST_IMAGE"] ?? "";
}
