import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { Cluster, LEASE_MS } from "./support/cluster.ts";
import { endingsOf, submitTask, tally } from "./support/cluster-tasks.ts";
import { TaskLoad } from "./support/task-load.ts";
import { type Step, Trap, type When } from "./support/trap.ts";

const enginePath = requireService("DOCKER_SOCKET") ?? "";
const postgresUrl = requireService("PG_URL");
const image = process.env["DOCKER_TEST_IMAGE"] ?? "";
const TASKS = 200;

const CREATE: Step = { name: "create", at: "engine", is: (call) => call === "POST /containers/create" };
const START: Step = {
  name: "start",
  at: "engine",
  is: (call) => /^POST \/containers\/[0-9a-f]{64}\/start$/.test(call),
};

describe.skipIf(enginePath === "")("200 first requests for one model, through three gateways at once", () => {
  let cluster: Cluster | undefined;

  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") console.log(cluster?.report());
    await cluster?.close();
    cluster = undefined;
  });

  async function open(store: "PostgreSQL" | "SQLite"): Promise<Cluster> {
    cluster = await Cluster.open({
      enginePath,
      image,
      ...(store === "PostgreSQL" && { postgresUrl }),
      members: ["gateway", "gateway", "gateway"],
      serverArgs: ["--start-delay-ms", "300", "--process-ms", "10"],
    });
    return cluster;
  }

  async function submitAll(to: Cluster, model: string): Promise<string[]> {
    const submitted = Array.from({ length: TASKS }, (_, turn) => submitTask(model, () => to.urls, turn));
    return (await Promise.all(submitted)).map(({ id }) => id);
  }

  async function expectOneServer({ diary, part }: Cluster, model: string): Promise<void> {
    expect(Object.values(diary.creates(model))).toEqual([1]);
    expect(diary.mostAtOnce(model)).toBe(1);
    const { State } = await part.docker.getContainer(model).inspect();
    expect(State.Running).toBe(true);
  }

  it.each(["PostgreSQL", "SQLite"] as const)(
    "bring about one container, and all end (%s)",
    { timeout: 90_000 },
    async (store) => {
      if (store === "PostgreSQL" && postgresUrl === undefined) return;
      const to = await open(store);
      const model = await to.onDemandModel(3_600);
      const ids = await submitAll(to, model);
      expect(tally(await endingsOf(ids, () => to.urls))).toEqual({ succeeded: TASKS });
      await expectOneServer(to, model);
    },
  );

  it.skipIf(postgresUrl === undefined).each<[string, Step, When]>([
    ["after it made the container", CREATE, "after"],
    ["after it started the container", START, "after"],
  ])(
    "bring about one container when the gateway that deploys is killed %s",
    { timeout: 90_000 },
    async (_, step, when) => {
      const to = await open("PostgreSQL");
      const model = await to.onDemandModel(3_600);
      const trap = new Trap(step, when);
      to.traps.current = trap;
      const submitting = submitAll(to, model);
      const caught = await trap.caught;
      await to.members[caught]?.kill();
      trap.release(false);
      // A server takes a while to start, as 200 tasks do to be taken.
      const state = async () => (await to.ask(`/models/${model}/deployment`)).json.state;
      await expect.poll(state, { timeout: 2 * LEASE_MS + 2_000 }).toBe("ready");
      const ids = await submitting;
      expect(tally(await endingsOf(ids, () => to.urls))).toEqual({ succeeded: TASKS });
      await expectOneServer(to, model);
    },
  );
});

describe.skipIf(enginePath === "" || postgresUrl === undefined)("a server that is removed under load", () => {
  it("has nothing to do any more when it is stopped, whichever gateway had sent it there", {
    timeout: 90_000,
  }, async () => {
    const cluster = await Cluster.open({
      ...{ enginePath, image, postgresUrl, members: ["gateway", "gateway"] },
      serverArgs: ["--process-ms", "400"],
    });
    try {
      const model = await cluster.onDemandModel(3_600);
      const load = new TaskLoad([model, model], () => cluster.urls, 120);
      for (let times = 1; times <= 2; times += 1) {
        const isReady = async (): Promise<string | undefined> =>
          (await cluster.ask(`/models/${model}/deployment`)).json.state;
        await expect.poll(isReady, { timeout: 20_000 }).toBe("ready");
        // It is busy by then.
        await sleep(1_000);
        expect((await cluster.ask(`/models/${model}`, { method: "DELETE" })).status).toBe(204);
      }
      expect(await load.endings()).toEqual({ succeeded: load.ids.length });
      expect(load.refused).toEqual([]);
      expect(cluster.stops.length).toBeGreaterThan(1);
      expect(cluster.stops.filter(({ inFlight }) => inFlight > 0)).toEqual([]);
      expect(cluster.diary.mostAtOnce(model)).toBe(1);
    } catch (error) {
      console.log(cluster.report());
      throw error;
    } finally {
      await cluster.close();
    }
  });
});
