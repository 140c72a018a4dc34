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
}

const ALONE: readonly CrewMember[] = [{ name: "serve", role: "serve" }];
const TOGETHER: readonly CrewMember[] = [
  ...["gateway-1", "gateway-2", "gateway-3"].map((name) => ({ name, role: "gateway" as const })),
  ...["scheduler-1", "scheduler-2", "scheduler-3"].map((name) => ({ name, role: "scheduler" as const })),
  { name: "reaper", role: "reaper" },
];

/** In a run that is shorter, outages are shorter as well, so that there is time to work between them. */
const LONG_RUN_MS = 180_000;

/** A chaos run on one way of keeping things, with as many faults as its time has room for. */
export function runPairing(options: PairingOptions): Promise<ChaosReport> {
  const { pairing, postgres, s3, chaosMs, ...rest } = options;
  const minutes = chaosMs / 60_000;
  const isLong = chaosMs >= LONG_RUN_MS;
  const perMinute = (count: number): number => Math.max(1, Math.round(count * minutes));
  return runChaos({
    ...rest,
    chaosMs,
    members: pairing === "sqlite+files" ? ALONE : TOGETHER,
    models: ["model-1", "model-2", "model-3"],
    async openStage(folder, processes) {
      if (pairing === "sqlite+files") return openSqliteStage({ folder, processes });
      if (postgres === undefined) throw new Error(`${pairing} needs a PostgreSQL server`);
      if (pairing === "postgres+s3" && s3 === undefined) throw new Error(`${pairing} needs an S3 server`);
      return openPostgresStage(
        { folder, processes },
        { postgres, s3: pairing === "postgres+s3" ? s3 : undefined },
      );
    },
    workMs: 120,
    leaseMs: isLong ? 5_000 : 3_000,
    kills: perMinute(8),
    pauses: perMinute(2),
    outages: perMinute(isLong ? 0.6 : 1),
    outageMs: isLong ? [5_000, 30_000] : [2_000, 5_000],
    linkFaults: perMinute(15),
    modelKills: perMinute(3),
  });
}
