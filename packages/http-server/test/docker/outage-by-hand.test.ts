import { setTimeout as sleep } from "node:timers/promises";
import type Dockerode from "dockerode";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import {
  isListedBy,
  type OutageWorld,
  openOutageWorld,
  runningBy,
  runStatic,
  strays,
  until,
} from "./support/outage-world.ts";
import { TaskLoad } from "./support/task-load.ts";

const enginePath = requireService("DOCKER_SOCKET");
const image = process.env["DOCKER_TEST_IMAGE"] ?? "";
const HEARD_WITHIN_MS = 2_000;

describe.skipIf(enginePath === undefined)("what somebody does to containers by hand, under load", () => {
  let world: OutageWorld;

  beforeAll(async () => {
    world = await openOutageWorld(enginePath ?? "", image);
  }, 60_000);
  afterAll(async () => {
    await world?.cluster.close();
  }, 30_000);

  /** Does it while tasks of the model come in, and expects that all of them end well and nobody notices. */
  async function underLoad(model: string, deed: (container: Dockerode.Container) => Promise<void>) {
    const { cluster } = world;
    const load = new TaskLoad([model], () => cluster.urls, 50);
    try {
      await sleep(300);
      await deed(cluster.part.docker.getContainer(model));
      expect(await load.endings()).toEqual({ succeeded: load.ids.length });
      expect(load.refused).toEqual([]);
      expect(load.ids.length).toBeGreaterThan(5);
      expect(await strays(world)).toEqual([]);
    } catch (error) {
      console.log(cluster.report());
      throw error;
    } finally {
      await load.endings(0);
    }
  }

  async function isHeard(model: string, isThere: boolean, limitMs = HEARD_WITHIN_MS): Promise<void> {
    await until(
      `${model} is ${isThere ? "" : "not "}listed`,
      async () => (await runningBy(world.cluster)).every((running) => running.includes(model) === isThere),
      limitMs,
    );
  }

  it("killed: the deployed ones come back, another's when it is started again", {
    timeout: 60_000,
  }, async () => {
    const { steady, manual, auto } = world;
    await underLoad(steady, async (container) => {
      await container.kill();
      await isHeard(steady, false);
      await container.start();
      await isHeard(steady, true, HEARD_WITHIN_MS + 1_000);
    });
    await underLoad(manual, async (container) => {
      await container.kill();
      await isHeard(manual, true, 10_000);
    });
    await underLoad(auto, async (container) => {
      await isHeard(auto, true, 10_000);
      await container.kill();
      await isHeard(auto, true, 10_000);
    });
  });

  it("paused: nothing is sent there until it goes on", { timeout: 60_000 }, async () => {
    const { steady } = world;
    await underLoad(steady, async (container) => {
      await container.pause();
      await isHeard(steady, false);
      await sleep(1_000);
      await container.unpause();
      await isHeard(steady, true, HEARD_WITHIN_MS + 1_000);
    });
  });

  it("removed: the deployed ones are made anew", { timeout: 60_000 }, async () => {
    const { cluster, manual, auto } = world;
    for (const model of [manual, auto]) {
      await underLoad(model, async (container) => {
        await isHeard(model, true, 10_000);
        const { Id: before } = await container.inspect();
        await container.remove({ force: true });
        await until(`${model} is another`, async () => {
          const { Id } = await cluster.part.docker
            .getContainer(model)
            .inspect()
            .catch(() => ({ Id: before }));
          return Id !== before;
        });
        await isHeard(model, true, 10_000);
      });
    }
  });

  it("recreated under another address: tasks go there", { timeout: 60_000 }, async () => {
    const { cluster, leaving } = world;
    let fillers = 0;
    await underLoad(leaving, async (container) => {
      const before = addressOf(await container.inspect());
      await container.remove({ force: true });
      await isHeard(leaving, false);
      // So that it does not get the same address again.
      let after = before;
      while (after === before) {
        fillers += 1;
        await runStatic(cluster, image, `filler-${fillers}`, "no");
        await cluster.part.docker
          .getContainer(leaving)
          .remove({ force: true })
          .catch(() => {});
        await runStatic(cluster, image, "leaving", "no");
        after = addressOf(await cluster.part.docker.getContainer(leaving).inspect());
      }
      await until(
        "it is listed",
        async () => (await isListedBy(cluster, [leaving])).every(Boolean),
        HEARD_WITHIN_MS + 1_000,
      );
      for (let filler = 1; filler <= fillers; filler += 1) {
        const name = `${cluster.part.id}-filler-${filler}`;
        await cluster.part.docker.getContainer(name).remove({ force: true });
      }
    });
  });
});

function addressOf({ NetworkSettings }: Dockerode.ContainerInspectInfo): string {
  return Object.values(NetworkSettings.Networks)[0]?.IPAddress ?? "";
}
