import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { type BuiltCommand, buildCommand } from "../support/build-command.ts";
import { bundleModelServer } from "./bundle.ts";
import type { ChaosReport } from "./report.ts";
import { type PairingOptions, runPairing } from "./run-pairing.ts";

const postgresUrl = requireService("PG_URL");
const s3Endpoint = requireService("S3_ENDPOINT");
const redisUrl = requireService("REDIS_URL");
const amqpUrl = requireService("AMQP_URL");
const managementUrl = requireService("AMQP_MANAGEMENT_URL");

/** Shared with other tests, so that they are taken away by the network alone. */
const places = {
  postgres: { url: postgresUrl ?? "" },
  s3: {
    endpoint: s3Endpoint ?? "",
    accessKey: process.env["S3_ACCESS_KEY"] ?? "",
    secretKey: process.env["S3_SECRET_KEY"] ?? "",
    region: process.env["S3_REGION"] ?? "us-east-1",
  },
};
const hasPlaces = postgresUrl !== undefined && s3Endpoint !== undefined;

/** With everything that starting and ending takes, well below it. */
const LIMIT_MS = 150_000;

describe("everything that can go wrong, at once", () => {
  let built: BuiltCommand;
  let folder: string;
  let modelProgram: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "modelgate-chaos-"));
    modelProgram = join(folder, "model.mjs");
    [built] = await Promise.all([buildCommand(), bundleModelServer(modelProgram)]);
  }, 60_000);

  afterAll(async () => {
    await built.remove();
    await rm(folder, { recursive: true, force: true });
  });

  async function run(options: Pick<PairingOptions, "pairing" | "seed"> & Partial<PairingOptions>): Promise<{
    readonly report: ChaosReport;
    readonly log: string;
  }> {
    const lines: string[] = [];
    const report = await runPairing({
      ...{ command: built.file, modelProgram, tasks: 500, chaosMs: 20_000, drainMs: 20_000 },
      ...{ folder: await mkdtemp(join(folder, "run-")), log: (line: string) => void lines.push(line) },
      ...options,
    });
    return { report, log: lines.join("\n") };
  }

  async function runWithBroker(
    options: Pick<PairingOptions, "pairing" | "broker">,
    faults: readonly string[],
  ): Promise<void> {
    const { report, log } = await run({
      ...{ seed: 3, tasks: 150, chaosMs: 6_000 },
      ...places,
      ...options,
    });
    expect(report.violations, log).toEqual([]);
    expect(report.accepted).toBe(150);
    expect(report.counts["times without the broker"]).toBe(2);
    expect(faults.map((fault) => report.counts[fault])).toEqual(faults.map(() => 1));
  }

  it("breaks no promise on SQLite and files", { timeout: LIMIT_MS }, async () => {
    const { report, log } = await run({ pairing: "sqlite+files", seed: 3 });
    expect(report.violations, log).toEqual([]);
    expect(report.accepted).toBe(500);
    expect(report.counts["kills"]).toBeGreaterThanOrEqual(3);
  });

  it.runIf(hasPlaces)("breaks no promise on PostgreSQL and S3", { timeout: LIMIT_MS }, async () => {
    const { report, log } = await run({ pairing: "postgres+s3", seed: 3, ...places });
    expect(report.violations, log).toEqual([]);
    expect(report.accepted).toBe(500);
    expect(report.counts["outages of postgres"]).toBe(1);
    expect(report.counts["outages of s3"]).toBe(1);
  });

  it.runIf(hasPlaces && redisUrl !== undefined)(
    "breaks no promise with the queue in Redis, and needs no broker",
    { timeout: LIMIT_MS },
    async () => {
      const broker = { name: "redis" as const, url: redisUrl ?? "" };
      await runWithBroker({ pairing: "postgres+redis+s3", broker }, [
        "flushes",
        "splits",
        "outages of redis",
      ]);
    },
  );

  it.runIf(hasPlaces && amqpUrl !== undefined && managementUrl !== undefined)(
    "breaks no promise with the queue in RabbitMQ, and needs no broker",
    { timeout: LIMIT_MS },
    async () => {
      const broker = { name: "rabbitmq" as const, url: amqpUrl ?? "", managementUrl };
      await runWithBroker({ pairing: "postgres+rabbitmq+s3", broker }, [
        "purges",
        "deletions of queues",
        "splits",
        "outages of rabbitmq",
      ]);
    },
  );

  it("sees a task that was taken out of the store, and an ending that was changed", {
    timeout: LIMIT_MS,
  }, async () => {
    const { report } = await run({
      ...{ pairing: "sqlite+files", seed: 4, tasks: 60, chaosMs: 6_000, plants: true },
    });
    const violations = report.violations.join("\n");
    expect(violations).toContain("lost-task");
    expect(violations).toContain("is answered with 404");
    expect(violations).toContain("ending-changed");
  });
});
