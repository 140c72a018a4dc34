import { rm } from "node:fs/promises";
import { GatewayClient } from "../client/gateway-client.ts";
import { CommandError } from "../command-error.ts";
import type { Call } from "../command-spec.ts";
import { EXIT } from "../exit-codes.ts";
import { type Colour, colours } from "../output/colours.ts";
import { endWithReader, writeJson, writeOut } from "../output/out.ts";
import { printable } from "../output/printable.ts";
import { brokersOf } from "../settings/brokers.ts";
import type { Settings } from "../settings/settings.ts";
import { isLocal } from "../stores/open-stores.ts";
import { checkDatabase } from "./check-database.ts";
import { checkDirectory } from "./check-directory.ts";
import { checkDocker } from "./check-docker.ts";
import { checkClock, checkConfiguration, checkNode } from "./check-environment.ts";
import { checkKey, checkKeyInUse } from "./check-key.ts";
import { checkMlflow } from "./check-mlflow.ts";
import { checkObjects } from "./check-objects.ts";
import { checkPort } from "./check-port.ts";
import { checkPostgres } from "./check-postgres.ts";
import { checkRabbitmq } from "./check-rabbitmq.ts";
import { checkRedis } from "./check-redis.ts";
import { checkS3 } from "./check-s3.ts";
import { checkServers } from "./check-servers.ts";
import { type Finding, fail } from "./finding.ts";

/** Whoever takes longer to say that it is healthy is not. */
const ANSWER_MS = 5_000;

/** Looks at everything that a gateway needs, each by itself, so that one fault hides no other. */
export async function doctor({ options, settings, problems, warnings }: Call): Promise<number> {
  endWithReader();
  const findings: Finding[] = [];
  const asJson = options.has("json");
  const told = async (found: readonly Finding[]): Promise<void> => {
    findings.push(...found);
    if (!asJson) for (const finding of found) await writeOut(lineOf(finding));
  };

  await told([checkNode()]);
  await told(checkConfiguration(problems, warnings));
  await told([await checkClock(settings.dataDir, Date.now())]);
  if (isLocal(settings)) await checkData(settings, options.has("full"), told);
  if (problems.length === 0) await checkServices(settings, told);
  await checkGateway(settings, told);
  await told(await checkServers(settings));

  const faults = findings.filter(({ level }) => level === "fail").length;
  const doubts = findings.filter(({ level }) => level === "warn").length;
  if (asJson) await writeJson({ ok: faults === 0, findings });
  else await writeOut(`\n${summary(faults, doubts)}\n`);
  return faults === 0 ? EXIT.ok : EXIT.failed;
}

type Told = (found: readonly Finding[]) => Promise<void>;

async function checkData({ dataDir, store, objects }: Settings, isFull: boolean, told: Told): Promise<void> {
  const { findings, trial } = await checkDirectory(dataDir);
  await told(findings);
  if (trial === undefined) return;
  try {
    if (store === "sqlite") await told(await checkDatabase({ dataDir, trial, isFull }));
    if (objects === "filesystem") await told([await checkObjects(dataDir, trial)]);
  } finally {
    await rm(trial, { recursive: true, force: true });
  }
}

/** What is on the network. Settings that lack something would only say so again. */
async function checkServices(settings: Settings, told: Told): Promise<void> {
  const checks = [
    ...(settings.store === "postgres" ? [checkPostgres] : []),
    ...(settings.objects === "s3" ? [checkS3] : []),
    ...brokersOf(settings).map((kind) => (kind === "redis" ? checkRedis : checkRabbitmq)),
    ...(settings["docker.enabled"] ? [checkDocker] : []),
    ...(settings["mlflow.url"] === undefined ? [] : [checkMlflow]),
  ];
  for (const check of checks) {
    const found = await check(settings).catch((error: unknown) => {
      if (!(error instanceof CommandError)) throw error;
      return [fail("configuration", error.message, "give the name of a file that can be read")];
    });
    await told(found);
  }
}

async function checkGateway(settings: Settings, told: Told): Promise<void> {
  const { finding, key } = await checkKey(settings);
  await told([finding]);
  const client = new GatewayClient({ url: ownAddress(settings), adminKey: key, idleMs: ANSWER_MS });
  const port = await checkPort(client, settings);
  await told([port.finding]);
  if (port.isGateway && key !== undefined) await told([await checkKeyInUse(client)]);
}

/** Where a gateway with these settings is reached from here. */
function ownAddress({ host, port, basePath = "" }: Settings): string {
  const reached = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `http://${reached.includes(":") ? `[${reached}]` : reached}:${port}${basePath}`;
}

const SHOWN: Readonly<Record<Finding["level"], readonly [text: string, colour: Colour]>> = {
  ok: ["ok", "green"],
  warn: ["warn", "yellow"],
  fail: ["FAIL", "red"],
};

function lineOf({ check, level, text, hint }: Finding): string {
  const [word, colour] = SHOWN[level];
  const line = `${colours(process.stdout)(word.padEnd(4), colour)}  ${check.padEnd(14)}  ${printable(text)}\n`;
  return hint === undefined ? line : `${line}${" ".repeat(22)}-> ${printable(hint)}\n`;
}

function summary(faults: number, doubts: number): string {
  if (faults === 0 && doubts === 0) return "All is well.";
  const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;
  return `${count(faults, "fault")}, ${count(doubts, "warning")}.`;
}
