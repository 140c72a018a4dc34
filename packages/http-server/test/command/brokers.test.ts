import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call } from "../support/http-client.ts";
import { openRoles, type RoleProcesses } from "./role-processes.ts";
import { hasRabbitmq, hasRedis, openRabbitmq, openRedis, type TestBroker } from "./test-brokers.ts";
import { hasPostgres, openPostgres, type TestStore } from "./test-stores.ts";

const MARKER = "s3cret-marker-of-this-test";

const submit = (url: string, body: string) =>
  call(url, "/models/nlp/tasks/process", {
    method: "POST",
    headers: { "content-type": "text/plain", prefer: "wait=30" },
    body,
  });
const queueHealth = async (url: string, path: string): Promise<readonly [number, string]> => {
  const { status, json } = await call(url, path);
  return [status, json.components.queue];
};
const sqlite = async (): Promise<TestStore> => ({ settings: {}, close: async () => {} });

interface Pairing {
  readonly name: string;
  readonly isThere: boolean;
  readonly store: () => Promise<TestStore>;
  readonly broker: () => Promise<TestBroker>;
  readonly queue: "redis" | "rabbitmq";
  readonly label: string;
  /** Whether one process is everything. */
  readonly isAlone?: boolean;
}

const PAIRINGS: readonly Pairing[] = [
  {
    name: "PostgreSQL and Redis",
    isThere: hasPostgres && hasRedis,
    ...{ store: openPostgres, broker: openRedis, queue: "redis", label: "Redis" },
  },
  {
    name: "SQLite and Redis",
    isThere: hasRedis,
    ...{ store: sqlite, broker: openRedis, queue: "redis", label: "Redis", isAlone: true },
  },
  {
    name: "PostgreSQL and RabbitMQ",
    isThere: hasPostgres && hasRabbitmq,
    ...{ store: openPostgres, broker: openRabbitmq, queue: "rabbitmq", label: "RabbitMQ" },
  },
];

/** All at once: most of the time goes by while a queue is watched for its being back. */
describe.concurrent.each(PAIRINGS)("processes on $name", (pairing) => {
  let broker: TestBroker;
  let roles: RoleProcesses;

  beforeAll(async () => {
    if (!pairing.isThere) return;
    broker = await pairing.broker();
    const store = await pairing.store();
    const close = async (): Promise<void> => {
      await Promise.all([store.close(), broker.close()]);
    };
    const settings = { ...store.settings, ...broker.settings, queue: pairing.queue };
    roles = await openRoles({ settings, close });
  }, 60_000);
  afterAll(() => roles?.close());

  const lines = (text: string) => roles.output().split(text).length - 1;

  it.runIf(pairing.isThere)(
    "start without the queue, go on without it, and say when it is away and when it is back",
    async ({ expect }) => {
      const { relay } = broker;
      const [gateway, scheduler = gateway] = await Promise.all(
        pairing.isAlone === true
          ? [roles.start("serve")]
          : [roles.start("gateway"), roles.start("scheduler", "--port", "0")],
      );
      const processes = pairing.isAlone === true ? 1 : 2;
      const healthPath = pairing.isAlone === true ? "/health" : "/healthz";
      expect(gateway.running.stdout()).toContain(`queue in ${pairing.label}, 1 server)`);
      expect(lines("the start goes on, and tasks are taken and run in the order of the store until")).toBe(
        processes,
      );
      expect((await submit(gateway.url, "before it is there")).json).toEqual({ text: "before it is there" });
      expect(await queueHealth(gateway.url, "/health")).toEqual([200, "unhealthy"]);
      expect(await queueHealth(scheduler.url, healthPath)).toEqual([200, "unhealthy"]);
      expect(await broker.isUsed()).toBe(false);

      await relay.up();
      const isBack = `the queue in ${pairing.label} answers again`;
      await expect.poll(() => scheduler.running.stderr(), { timeout: 30_000 }).toContain(isBack);
      await expect
        .poll(() => queueHealth(gateway.url, "/health"), { timeout: 30_000 })
        .toEqual([200, "healthy"]);
      expect((await submit(gateway.url, "while it is there")).json).toEqual({ text: "while it is there" });
      expect(await broker.isUsed()).toBe(true);

      const failed = "the queue failed; tasks go on in the order of the store: ";
      const toldBefore = lines(failed);
      await relay.down();
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, at) => submit(gateway.url, `without it ${at}`)),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      // Each says so once.
      await expect.poll(() => lines(failed), { timeout: 10_000 }).toBe(toldBefore + processes);
      const { text } = await call(scheduler.url, "/metrics");
      expect(text).toMatch(
        /modelgate_adapter_failures_total\{adapter="queue",operation="\w+",code="STORE_\w+"\} [1-9]/,
      );
      expect(text).toContain('modelgate_component_healthy{component="queue"} 0');
    },
    90_000,
  );
});

describe("what an operator has to mend in a broker", () => {
  let roles: RoleProcesses;
  let redis: TestBroker;
  let rabbitmq: TestBroker;

  beforeAll(async () => {
    roles = await openRoles(await sqlite());
    if (hasRedis) redis = await openRedis();
    if (hasRabbitmq) rabbitmq = await openRabbitmq();
    await Promise.all([redis?.relay.up(), rabbitmq?.relay.up()]);
  }, 60_000);
  afterAll(async () => {
    await Promise.all([roles?.close(), redis?.close(), rabbitmq?.close()]);
  });

  it.runIf(hasRedis && hasRabbitmq).each([
    ["redis", { password: MARKER }, /mend redis\.password \(MODELGATE_REDIS_PASSWORD\)$/],
    ["rabbitmq", { password: MARKER }, /mend rabbitmq\.password \(MODELGATE_RABBITMQ_PASSWORD\)$/],
    ["rabbitmq", { vhost: "nowhere" }, /mend rabbitmq\.vhost \(MODELGATE_RABBITMQ_VHOST\)$/],
  ] as const)(
    "ends a start with the setting in its words: %s %j",
    async (queue, wrong, message) => {
      const { url } = (queue === "redis" ? redis : rabbitmq).settings[queue] as { url: string };
      const flags = Object.entries({ url, ...wrong }).flatMap(([name, value]) => [
        `--${queue}-${name}`,
        value,
      ]);
      const { code, stdout, stderr } = await roles.run(["scheduler", "--queue", queue, ...flags]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).not.toContain(MARKER);
      expect(
        stderr
          .trim()
          .split("\n")
          .at(-1)
          ?.replace(/ role=\w+$/, ""),
      ).toMatch(message);
    },
    10_000,
  );

  it.runIf(hasRedis && hasRabbitmq)("is found by the doctor, and so is what is well", async () => {
    const of = (broker: TestBroker, kind: string) => (broker.settings[kind] as { url: string }).url;
    const urls = ["--redis-url", of(redis, "redis"), "--rabbitmq-url", of(rabbitmq, "rabbitmq")];
    const both = ["doctor", "--json", "--queue", "redis", "--wakeups", "rabbitmq", ...urls];
    const findings = async (args: readonly string[]) => {
      const { stdout } = await roles.run(args);
      const { findings: found } = JSON.parse(stdout) as {
        findings: { check: string; level: string; text: string }[];
      };
      return found.filter(({ check }) => check === "Redis" || check === "RabbitMQ");
    };
    expect(await findings(both)).toEqual([
      {
        check: "Redis",
        level: "ok",
        text: expect.stringMatching(/^Redis 7\.\S+ answers, prefix modelgate, in the clear/),
      },
      expect.objectContaining({
        check: "Redis",
        level: "warn",
        text: expect.stringContaining("append-only"),
      }),
      {
        check: "RabbitMQ",
        level: "ok",
        text: expect.stringMatching(/^RabbitMQ \S+ answers at 127\.0\.0\.1:\d+, vhost \/, /),
      },
    ]);
    const wrong = await findings([...both, "--redis-username", "nobody", "--rabbitmq-vhost", "nowhere"]);
    expect(wrong.map(({ check, level }) => [check, level])).toEqual([
      ["Redis", "fail"],
      ["RabbitMQ", "fail"],
    ]);
  });
});

describe.runIf(hasRedis)("wake-ups by Redis between processes on SQLite", () => {
  it("spare them the wait for their next look", async () => {
    const broker = await openRedis();
    await broker.relay.up();
    const settings = { ...broker.settings, wakeups: "redis" };
    const roles = await openRoles({ settings, close: () => broker.close() }, { pollMs: 20_000 });
    try {
      const [gateway] = await Promise.all([roles.start("gateway"), roles.start("scheduler")]);
      const beganMs = performance.now();
      expect((await submit(gateway.url, "wake up")).json).toEqual({ text: "wake up" });
      expect(performance.now() - beganMs).toBeLessThan(10_000);
    } finally {
      await roles.close();
    }
  }, 60_000);
});
