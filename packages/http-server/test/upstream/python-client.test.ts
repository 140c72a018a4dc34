import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { SHARED_STORES } from "../command/test-stores.ts";
import { type BuiltCommand, buildCommand } from "../support/build-command.ts";
import { freePort } from "../support/free-port.ts";
import { type ClientClass, type ClientReport, runClient } from "./client-run.ts";
import { createTrackedRun, type TrackedRun } from "./tracked-run.ts";
import {
  ADMIN_KEY,
  type NlpServers,
  openWorld,
  startNlpServers,
  startSilentServer,
  type World,
} from "./world.ts";

// CogStack's own client for Python, as its registry has it, calls every one of its methods. The checks are in Python,
// beside this file; here they are asked for by name.

const python = requireService("CMG_CLIENT_PYTHON") ?? "";
const socket = requireService("DOCKER_SOCKET") ?? "";
const image = process.env["DOCKER_TEST_IMAGE"] ?? "";
const mlflow = process.env["MLFLOW_URL"];

const CLASSES: readonly ClientClass[] = ["GatewayClient", "GatewayClientSync"];

const CHECKS = [
  "options_of_the_client_are_kept",
  "a_client_outside_of_its_context_is_refused_by_itself",
  "process_annotates",
  "process_without_waiting_gives_a_task",
  "waiting_without_the_result_gives_the_details",
  "process_bulk_annotates_each",
  "redact_gets_repeated_keys_and_options",
  "results_of_other_kinds_are_parsed",
  "files_are_submitted_by_name",
  "a_failed_task_is_an_error_with_its_message",
  "waiting_ends_at_the_polling_timeout",
  "a_request_that_takes_too_long_is_tried_three_times",
  "a_gateway_that_is_gone_is_not_healthy",
  "many_calls_one_after_another_and_at_once",
  "wrong_calls_are_http_errors",
  "train_supervised_ends_with_its_document",
  "train_unsupervised_ends_with_its_document",
  "a_training_is_watched_after_a_submit_without_waiting",
  "a_submit_without_a_body_is_taken",
  "models_are_listed",
  "a_model_is_shown",
  "a_model_is_deployed_used_and_removed",
  "a_model_is_deployed_by_its_run",
  "wrong_deployments_are_http_errors",
  "configurations_are_made_read_and_listed",
  "configurations_are_changed_in_place",
  "configurations_have_a_history_and_are_enabled_again",
  "a_task_has_its_model_deployed",
  "configurations_are_disabled_and_leave_the_server",
  "a_healthy_gateway_says_so",
  "a_gateway_without_its_store_says_which",
] as const;

const notes = (name: string): string =>
  fileURLToPath(
    new URL(`../../../../examples/nlp-server/notes/trainer-export-${name}.json`, import.meta.url),
  );

describe.skipIf(python === "" || socket === "")("CogStack's own Python client", () => {
  let built: BuiltCommand;
  let folder: string;
  let silent: { readonly url: string; close(): Promise<void> };
  let servers: NlpServers;
  let tracked: TrackedRun | null;

  beforeAll(async () => {
    [built, folder, silent, servers, tracked] = await Promise.all([
      buildCommand(),
      mkdtemp(join(tmpdir(), "modelgate-upstream-")),
      startSilentServer(),
      startNlpServers(),
      mlflow === undefined ? null : createTrackedRun(mlflow),
    ]);
    await writeFile(join(folder, "texts.json"), JSON.stringify(["John Smith has a fever.", "Né à Berlin."]));
  }, 60_000);
  afterAll(async () => {
    await Promise.all([built?.remove(), silent?.close(), servers?.close()]);
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const stores = SHARED_STORES.filter(({ isThere }) => isThere);
  const reports = new Map<string, Readonly<Record<ClientClass, ClientReport>>>();

  // All of them mostly wait for their next look at a task, so they do that side by side.
  beforeAll(async () => {
    await Promise.all(
      stores.map(async ({ name, make }) => {
        // In one of them everybody may configure models, as with CogStack's own gateway; in the other, who has the key.
        const isOpen = name.includes("SQLite");
        const world = await openWorld({
          ...{ file: built.file, store: await make(), engine: { socket, image } },
          servers: { notes: servers.notes, pupil: servers.pupil, hanging: silent.url },
          settings: { openConfigurations: isOpen, ...(mlflow !== undefined && { mlflow: { url: mlflow } }) },
        });
        const url = isOpen ? world.url : world.url.replace("//", `//admin:${ADMIN_KEY}@`);
        reports.set(name, await runBoth(world, url));
      }),
    );
  }, 90_000);

  async function runBoth(world: World, url: string): Promise<Readonly<Record<ClientClass, ClientReport>>> {
    const nowhere = `http://127.0.0.1:${await freePort()}`;
    // The store goes when both are done with it.
    let asked = 0;
    let takeAway: () => void = () => {};
    const taken = new Promise<void>((resolve) => {
      takeAway = resolve;
    }).then(() => world.takeStoreAway());
    const onAsk = async (): Promise<void> => {
      asked += 1;
      if (asked === CLASSES.length) takeAway();
      await taken;
    };
    const run = (name: ClientClass): Promise<ClientReport> =>
      runClient(
        python,
        {
          ...{ name, url, nowhere, tracked },
          ...{ model: "notes", pupil: "pupil", hanging: "hanging" },
          prefix: `${world.part?.id ?? "t"}-${randomBytes(2).toString("hex")}`,
          ...{ exports: [notes("a"), notes("c")], texts: join(folder, "texts.json") },
        },
        onAsk,
      );
    try {
      const [GatewayClient, GatewayClientSync] = await Promise.all([
        run("GatewayClient"),
        run("GatewayClientSync"),
      ]);
      return { GatewayClient, GatewayClientSync };
    } catch (error) {
      console.error(world.output().slice(-4_000));
      throw error;
    } finally {
      await world.close();
    }
  }

  describe.each(stores)("on $name", ({ name: store }) => {
    describe.each(CLASSES)("%s", (name) => {
      const reportOf = (): ClientReport => {
        const report = reports.get(store)?.[name];
        if (report === undefined) throw new Error("the checks did not run");
        return report;
      };

      it.each(CHECKS)("%s", (check) => {
        const { checks } = reportOf();
        expect(Object.keys(checks)).toContain(check);
        if (checks[check] !== null) throw new Error(checks[check]);
      });

      it("has no check besides, and no public method that was not called", () => {
        const report = reportOf();
        expect(Object.keys(report.checks)).toEqual([...CHECKS]);
        expect(report.public.filter((each) => !report.used.includes(each))).toEqual([]);
        expect(report.public.length).toBeGreaterThan(20);
      });
    });
  });
});
