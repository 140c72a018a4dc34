import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { hasPostgres, openPostgres, type TestStore } from "../command/test-stores.ts";
import { type BuiltCommand, buildCommand } from "../support/build-command.ts";
import { buildServer } from "./build-server.ts";
import { isUnknown } from "./judge-trainings.ts";
import { ROUNDS } from "./rounds.ts";
import { TrainingsRun } from "./trainings-run.ts";

const mlflowUrl = requireService("MLFLOW_URL");
/** The long form: `MODELGATE_TRAININGS=200`. */
const LONG = process.env["MODELGATE_TRAININGS"];
const TRAININGS = Number(LONG ?? 18);
const SEED = Number(process.env["MODELGATE_SEED"] ?? Date.now());

describe.skipIf(mlflowUrl === undefined || !hasPostgres)(
  "trainings while all of it is killed and misbehaves",
  () => {
    let command: BuiltCommand;
    let program: Awaited<ReturnType<typeof buildServer>>;
    let store: TestStore;

    beforeAll(async () => {
      [command, program, store] = await Promise.all([buildCommand(), buildServer(), openPostgres()]);
    });

    afterAll(async () => {
      await Promise.all([command?.remove(), program?.remove(), store?.close()]);
    });

    it("run once, end, and what is said of them is so", {
      timeout: LONG === undefined ? 400_000 : 1_200_000,
    }, async () => {
      const { trainings, violations, planted, table } = await TrainingsRun.play({
        ...{ command: command.file, server: program.file, mlflowUrl: mlflowUrl ?? "", store: store.settings },
        ...{ trainings: TRAININGS, seed: SEED },
        ...{ areServersMarked: LONG === undefined, log: LONG === undefined ? () => {} : console.log },
      });
      console.log(`seed ${SEED}\n${table}`);
      expect(violations).toEqual([]);
      expect(trainings.length).toBeGreaterThanOrEqual(TRAININGS);
      // A gateway that gave everything up would keep all promises, too.
      const known = trainings.filter((training) => !isUnknown(training));
      const rounds = ROUNDS.filter(({ mayBeUnknown }) => mayBeUnknown).length;
      const fewest = Math.min(0.9 * trainings.length, trainings.length - rounds);
      expect(known.length).toBeGreaterThanOrEqual(fewest);
      expect(trainings.filter(({ state }) => state === "succeeded").length).toBeGreaterThan(
        trainings.length / 2,
      );
      // A second beginning on a real server turns it red.
      expect(planted).toEqual([expect.stringMatching(/was begun 2 times$/)]);
    });
  },
);
