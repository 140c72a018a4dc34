import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { type BuiltCommand, buildCommand } from "../support/build-command.ts";
import { send } from "../support/send.ts";
import { buildServer } from "./build-server.ts";
import { GatewayProcess } from "./gateway.ts";
import { readJournal } from "./journal.ts";
import { type Behaviours, ModelServer } from "./model-server.ts";
import {
  readDocument,
  readTask,
  submitTraining,
  type TrainingDocument,
  trainingOf,
} from "./submit-training.ts";

const mlflowUrl = requireService("MLFLOW_URL");
const RUN_MS = 4_000;

/** Names of models are names of experiments, and others use the same MLflow. */
const cases: readonly { model: string; behaviours: Behaviours }[] = [
  { model: `steady-${process.pid}`, behaviours: [] },
  { model: `orphan-${process.pid}`, behaviours: ["orphan-run"] },
];

async function trainOnce({ url, model }: ModelServer, journal: string): Promise<void> {
  const { headers, body } = trainingOf("evaluate");
  const id = `before-${model}`;
  const { status } = await send(`${url}/evaluate?tracking_id=${id}`, { method: "POST", headers, body });
  expect(status).toBe(202);
  const isOver = (): boolean =>
    readJournal(journal).some(({ tracking_id, event }) => tracking_id === id && event === "ended");
  await vi.waitFor(() => expect(isOver()).toBe(true), { timeout: 30_000, interval: 50 });
}

describe.skipIf(mlflowUrl === undefined)("a training on a real MLflow", () => {
  let command: BuiltCommand;
  let program: Awaited<ReturnType<typeof buildServer>>;
  let folder: string;
  let journal: string;
  let servers: ModelServer[] = [];
  let gateway: GatewayProcess;

  beforeAll(async () => {
    [command, program, folder] = await Promise.all([
      buildCommand(),
      buildServer(),
      mkdtemp(join(tmpdir(), "modelgate-mlflow-kill-")),
    ]);
    journal = join(folder, "journal");
    const { file } = program;
    servers = await Promise.all(
      cases.map((each) => ModelServer.start({ model: each.model, file, journal, mlflowUrl, runMs: RUN_MS })),
    );
    // What an earlier training leaves: the client's current experiment, so that no other's run could claim the result.
    await Promise.all(servers.map((server) => trainOnce(server, journal)));
    gateway = await GatewayProcess.start({
      command: command.file,
      servers: Object.fromEntries(servers.map(({ model, url }) => [model, url])),
      settings: { mlflow: { url: mlflowUrl } },
    });
    await gateway.knowsModels();
    await Promise.all(servers.map((server, at) => server.misbehave(cases[at]?.behaviours ?? [])));
  }, 60_000);

  afterAll(async () => {
    await gateway?.close();
    await Promise.all(servers.map((server) => server.kill()));
    await Promise.all([command?.remove(), program?.remove()]);
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  it("ends once, with its document, though every process of the gateway is killed while it runs", async () => {
    const ids = await Promise.all(
      cases.map(({ model }) => submitTraining(gateway.url, { model, kind: "train_supervised" })),
    );
    const seen = (): Promise<readonly string[]> =>
      Promise.all(ids.map(async (id) => (await readTask(gateway.url, id)).status));
    await vi.waitFor(async () => expect(await seen()).toEqual(["running", "running"]), { timeout: 10_000 });
    await gateway.kill();
    const own = readJournal(journal).filter(({ tracking_id }) => ids.includes(tracking_id));
    expect(own.map(({ event }) => event)).toEqual(["begun", "begun"]);
    await gateway.start();
    await vi.waitFor(async () => expect(await seen()).toEqual(["succeeded", "succeeded"]), {
      timeout: 40_000,
      interval: 100,
    });

    const documents: TrainingDocument[] = [];
    for (const id of ids) {
      const task = await readTask(gateway.url, id);
      const document = await readDocument(gateway.url, id);
      expect(task).toMatchObject({ status: "succeeded", error_message: null });
      expect(document).toMatchObject({
        run: { run_id: task.tracking_id, run_name: id },
        params: { nepochs: "1", test_size: "0.2" },
        tags: { "training.trainer.mode": "train", "training.is.tracked": "True" },
        artifacts: { artifact_uri: expect.stringMatching(/^mlflow-artifacts:|^\//) },
        error: null,
      });
      expect(Object.keys(document?.metrics ?? {})).not.toEqual([]);
      const { started_at, finished_at } = document?.timing ?? { started_at: "", finished_at: "" };
      expect(Date.parse(finished_at) - Date.parse(started_at)).toBeGreaterThanOrEqual(RUN_MS - 100);
      if (document !== undefined) documents.push(document);
    }
    const [steady, orphan] = documents;
    expect(steady?.run.status).toBe("FINISHED");
    expect(steady).not.toHaveProperty("result_run");
    expect(orphan?.result_run).toMatchObject({ run_name: expect.stringMatching(/^\w+-\w+-\d+$/) });
    expect(orphan?.result_run?.run_id).not.toBe(orphan?.run.run_id);

    // By the servers' own account each began once, and the runs are those that the tasks name.
    const account = readJournal(journal);
    for (const [at, id] of ids.entries()) {
      const own = account.filter(({ tracking_id }) => tracking_id === id);
      expect(own.map(({ event, status }) => status ?? event)).toEqual(["begun", "FINISHED"]);
      expect(own[0]?.run_id).toBe(documents[at]?.run.run_id);
    }
  }, 60_000);
});
