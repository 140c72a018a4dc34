import type { BrokerPlace } from "./broker-stage.ts";
import { type ChaosOptions, runChaos } from "./chaos-run.ts";
import type { CrewMember } from "./crew.ts";
import { openPostgresStage, type PostgresPlace, type S3Place } from "./postgres-stage.ts";
import type { ChaosReport } from "./report.ts";
import { openSqliteStage, type Pairing } from "./stage.ts";

export interface PairingOptions
  extends Pick<
    ChaosOptions,
    "command" | "modelProgram" | "tasks" | "seed" | "chaosMs" | "drainMs" | "plants" | "folder" | "log"
  > {
  readonly pairing: Pairing;
  readonly postgres?: PostgresPlace | undefined;
  readonly s3?: S3Place | undefined;
  readonly broker?: BrokerPlace | undefined;
}

const ALONE: readonly CrewMember[] = [{ name: "serve", role: "serve" }];
const TOGETHER: readonly CrewMember[] = [
  ...["gateway-1", "gateway-2", "gateway-3"].map((name) => ({ name, role: "gateway" as const })),
  ...["scheduler-1", "scheduler-2", "scheduler-3"].map((name) => ({ name, role: "scheduler" as const })),
  { name: "reaper", role: "reaper" },
];

/** In a run that is shorter, outages are shorter as well, so that there is time to work between them. */
const LONG_RUN_MS = 180_000;

const MODELS = ["model-1", "model-2", "model-3"];

/** A broker can only lose what waits: model servers that each do so much at once have twice the room that is needed. */
const SCARCE_LIMIT = 4;
const ROOM = 2;

/** So that the load keeps them half at work, which with outages makes tasks wait. A call takes 0.87 of `workMs` on the average. */
function scarceWorkMs(tasks: number, chaosMs: number): number {
  const perMs = tasks / (0.9 * chaosMs);
  return Math.max(1, Math.round((SCARCE_LIMIT * MODELS.length) / (0.87 * ROOM * perMs)));
}

/** A chaos run on one way of keeping things, with as many faults as its time has room for. */
export function runPairing(options: PairingOptions): Promise<ChaosReport> {
  const { pairing, postgres, s3, broker, chaosMs, ...rest } = options;
  const { tasks } = rest;
  const needsS3 = pairing.endsWith("+s3");
  const needsBroker = pairing.split("+").length === 3;
  const minutes = chaosMs / 60_000;
  const isLong = chaosMs >= LONG_RUN_MS;
  const perMinute = (count: number): number => Math.max(1, Math.round(count * minutes));
  return runChaos({
    ...rest,
    chaosMs,
    members: pairing === "sqlite+files" ? ALONE : TOGETHER,
    models: MODELS,
    async openStage(folder, processes) {
      if (pairing === "sqlite+files") return openSqliteStage({ folder, processes });
      if (postgres === undefined) throw new Error(`${pairing} needs a PostgreSQL server`);
      if (needsS3 && s3 === undefined) throw new Error(`${pairing} needs an S3 server`);
      if (needsBroker && broker === undefined) throw new Error(`${pairing} needs a broker`);
      return openPostgresStage(
        { folder, processes },
        { postgres, s3: needsS3 ? s3 : undefined, broker: needsBroker ? broker : undefined },
      );
    },
    ...(needsBroker ? { workMs: scarceWorkMs(tasks, chaosMs), limit: SCARCE_LIMIT } : { workMs: 120 }),
    withoutBrokerMs: isLong ? 30_000 : 3_000,
    leaseMs: isLong ? 5_000 : 3_000,
    kills: perMinute(8),
    pauses: perMinute(2),
    outages: perMinute(isLong ? 0.6 : 1),
    outageMs: isLong ? [5_000, 30_000] : [2_000, 5_000],
    linkFaults: perMinute(15),
    brokerFaults: perMinute(0.7),
    modelKills: perMinute(3),
  });
}
