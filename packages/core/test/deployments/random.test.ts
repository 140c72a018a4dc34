import { describe, expect, it } from "vitest";
import { Random } from "../../sim/random.ts";
import { expectConsistent } from "./support/judge.ts";
import { deploymentsOf, type Node, World } from "./support/world.ts";

const LEASE_MS = 3_000;
const STORY_MS = 180_000;
const MODELS = ["a", "b", "c"] as const;
const SEEDS = Number(process.env["MODELGATE_DEPLOYMENT_SEEDS"] ?? 25);

/**
 * Three minutes in which three gateways share an engine with room for two servers, while tasks and trainings come at
 * random and about everything happens that can: gateways die and stand still, the engine is away, servers are killed
 * and removed by hand, and people deploy and remove.
 */
class Story {
  readonly #random: Random;
  readonly #world: World;
  readonly #ids: string[] = [];
  #names = 0;
  readonly happened = new Map<string, number>();

  constructor(seed: number) {
    this.#random = new Random(seed, "story");
    this.#world = new World({
      ...{ seed, leaseMs: LEASE_MS, workMs: 300, trainMs: 20_000 },
      behaviour: () => ({ readyAfterMs: this.#random.between(100, 3_000), limit: 2, stopsAfterMs: 200 }),
      deployments: {
        room: { memoryBytes: 2, cpus: 100 },
        defaultRoom: { memoryBytes: 1, cpus: 1 },
        ...{
          minResidencyMs: 5_000,
          drainMs: 4_000,
          readyTimeoutMs: 20_000,
          failedRetryMs: 3_000,
          attempts: 5,
        },
        ...{ maxOverrunMs: 60_000, stopGraceMs: 1_000 },
      },
    });
  }

  async run(): Promise<void> {
    const world = this.#world;
    for (let count = 0; count < 3; count += 1) await this.#startOne();
    const deployments = deploymentsOf(this.#living().gateway);
    for (const model of MODELS) {
      await world.settle(
        deployments.configurations.create({ model, modelUri: `s3://${model}`, idleTtlMs: 6_000 }),
      );
    }
    while (world.time.nowMs < STORY_MS) {
      await this.#act();
      await world.time.run(world.time.nowMs + this.#random.between(0, 2_000));
    }
    await this.#calm();
    for (const id of this.#ids) {
      const task = await world.settle(this.#living().gateway.wait(id, { timeoutMs: 1_200_000 }), 1_300_000);
      if (!["succeeded", "failed"].includes(task.state)) throw new Error(`task ${id} is ${task.state}`);
      // Work that is not repeatable may honestly end as unknown; everything else has to succeed.
      if (task.state === "failed" && task.operation === "work") {
        throw new Error(`task ${id} failed: ${task.error?.code}`);
      }
    }
    await world.until(
      "all on-demand servers are gone",
      async () => (await world.entries()).every(({ kind, phase }) => kind === "manual" && phase === "ready"),
      300_000,
    );
    await world.time.run(world.time.nowMs + 4 * LEASE_MS);
    await expectConsistent(world);
  }

  async #act(): Promise<void> {
    const roll = this.#random.next();
    if (roll < 0.6) await this.#submit(this.#random.chance(0.9) ? "work" : "train");
    else if (roll < 0.68) await this.#loseGateway();
    else if (roll < 0.74) this.#pauseGateway();
    else if (roll < 0.8) this.#engineAway();
    else if (roll < 0.88) await this.#byHand();
    else if (roll < 0.95) await this.#deploy();
    else await this.#undeploy();
  }

  #note(what: string): void {
    this.happened.set(what, (this.happened.get(what) ?? 0) + 1);
  }

  #living(): Node {
    const living = this.#world.nodes.filter(({ process }) => process.isAlive && !process.isPaused);
    return this.#random.pick(living);
  }

  async #startOne(): Promise<void> {
    this.#names += 1;
    const node = this.#world.make(`g${this.#names}`);
    void node.gateway.start().catch(() => {});
    await this.#world.time.run(this.#world.time.nowMs + 50);
  }

  async #submit(operation: "work" | "train"): Promise<void> {
    const model = this.#random.pick(MODELS);
    const { process, gateway } = this.#living();
    const submitted = gateway.submit({ model, operation }).then(({ id }) => this.#ids.push(id));
    submitted.catch(() => {});
    await this.#world.time.run(this.#world.time.nowMs + 30, () => !process.isAlive);
    this.#note(operation);
  }

  async #loseGateway(): Promise<void> {
    const { process } = this.#living();
    process.kill();
    this.#world.forgetCalls(process);
    this.#note("kill");
    await this.#startOne();
  }

  #pauseGateway(): void {
    const living = this.#world.nodes.filter(({ process }) => process.isAlive && !process.isPaused);
    if (living.length < 2) return;
    const { process } = this.#random.pick(living);
    process.pause();
    // The others may count it out before it comes back.
    this.#world.forgetCalls(process);
    this.#note("pause");
    this.#world.time.after(this.#random.between(100, 4 * LEASE_MS), () => process.resume());
  }

  #engineAway(): void {
    const { engine, time } = this.#world;
    engine.stopEngine({ hangs: this.#random.chance(0.3) });
    this.#note("engine away");
    time.after(this.#random.between(100, 8_000), () => engine.startEngine());
  }

  async #byHand(): Promise<void> {
    const { engine } = this.#world;
    const servers = engine.servers.filter(({ state }) => state === "running");
    if (servers.length === 0) return;
    const { id, identity } = this.#random.pick(servers);
    await this.#world.byHand(async () => {
      if (this.#random.chance(0.5)) engine.kill(id);
      else
        await this.#world.settle(
          engine.remove(id, identity?.installation ?? "", 0).catch(() => {}),
          20_000,
        );
    });
    this.#note("by hand");
  }

  async #deploy(): Promise<void> {
    const { gateway } = this.#living();
    const model = this.#random.pick(["x", ...MODELS]);
    const ttlMs = this.#random.chance(0.5) ? this.#random.integer(5_000, 30_000) : null;
    void deploymentsOf(gateway)
      .deploy({ model, modelUri: "s3://x", ttlMs })
      .catch(() => {});
    this.#note("deploy");
  }

  async #undeploy(): Promise<void> {
    const { gateway } = this.#living();
    void deploymentsOf(gateway)
      .remove(this.#random.pick(["x", ...MODELS]))
      .catch(() => {});
    this.#note("undeploy");
  }

  /** From here on nothing happens any more; manual servers would hold their room for ever. */
  async #calm(): Promise<void> {
    const world = this.#world;
    world.engine.startEngine();
    for (const { process } of world.nodes) process.resume();
    await world.time.run(world.time.nowMs + 20_000);
    for (const { model, kind } of await world.entries()) {
      if (kind === "manual")
        void deploymentsOf(this.#living().gateway)
          .remove(model)
          .catch(() => {});
    }
  }
}

describe("any history of gateways, engine, people and tasks", () => {
  it.each(Array.from({ length: SEEDS }, (_, at) => at + 1))(
    "seed %i ends with every task ended, nothing left over, and nothing stopped that had work",
    { timeout: 60_000 },
    async (seed) => {
      const story = new Story(seed);
      await story.run();
      expect(story.happened.size).toBeGreaterThan(4);
    },
  );
});
