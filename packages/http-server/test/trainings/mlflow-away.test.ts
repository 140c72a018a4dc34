import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { type BuiltCommand, buildCommand } from "../support/build-command.ts";
import { runCommand } from "../support/run-command.ts";
import { send } from "../support/send.ts";
import { buildServer } from "./build-server.ts";
import { GatewayProcess } from "./gateway.ts";
import { readJournal } from "./journal.ts";
import { MlflowProxy, type Mood } from "./mlflow-proxy.ts";
import { ModelServer } from "./model-server.ts";
import { readDocument, readTask, submitTraining } from "./submit-training.ts";

const mlflowUrl = requireService("MLFLOW_URL");
const LIMIT_MS = 500;
const RUN_MS = 2_500;
const PASSWORD = "of-this-test-only";

interface Case {
  readonly mood: Exclude<Mood, "passes">;
  /** What an operator is told to look at. */
  readonly setting: RegExp;
  /** Whether MLflow comes back before the training has ended; otherwise it ends by its server's word. */
  readonly isBack: boolean;
}

const cases: readonly Case[] = [
  { mood: "stopped", setting: /mlflow\.url/, isBack: false },
  { mood: "slow", setting: /mlflow\.(url|timeoutMs)/, isBack: true },
  { mood: "page", setting: /mlflow\.url/, isBack: true },
  { mood: "refuses", setting: /check username and password \(mlflow\.username/, isBack: false },
];

/** What the verbose list gives of a model. */
interface Listed {
  readonly name: string;
  readonly model_type?: string;
}

describe.skipIf(mlflowUrl === undefined)("beside an MLflow", () => {
  let command: BuiltCommand;
  let program: Awaited<ReturnType<typeof buildServer>>;
  let folder: string;
  const closers: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    [command, program, folder] = await Promise.all([
      buildCommand(),
      buildServer(),
      mkdtemp(join(tmpdir(), "modelgate-mlflow-away-")),
    ]);
  });

  afterAll(async () => {
    await Promise.all(closers.map((close) => close()));
    await Promise.all([command?.remove(), program?.remove()]);
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  async function open(mood: Mood) {
    const journal = join(folder, mood);
    const model = `${mood}-${process.pid}`;
    const [server, proxy] = await Promise.all([
      ModelServer.start({ file: program.file, model, journal, mlflowUrl, runMs: RUN_MS }),
      MlflowProxy.open(mlflowUrl ?? ""),
    ]);
    closers.push(
      () => server.kill(),
      () => proxy.close(),
    );
    const gateway = await GatewayProcess.start({
      command: command.file,
      servers: { [model]: server.url },
      settings: {
        mlflow: { url: proxy.url, username: "reader", password: PASSWORD, timeoutMs: 1_000 },
        trackingTimeoutMs: LIMIT_MS,
      },
    });
    closers.push(() => gateway.close());
    await gateway.knowsModels();
    return { model, journal, proxy, gateway };
  }

  async function listed(url: string): Promise<{ models: readonly Listed[]; tookMs: number }> {
    const begun = performance.now();
    const { status, body } = await send(`${url}/models/?verbose=true`);
    expect(status).toBe(200);
    const { running } = JSON.parse(body.toString()) as { running: readonly Listed[] };
    return { models: running, tookMs: performance.now() - begun };
  }

  it.concurrent.each(cases)(
    "that is $mood, lists come in time, trainings end, and the error names the setting",
    async ({ mood, setting, isBack }) => {
      const { model, journal, proxy, gateway } = await open(mood);
      await proxy.turn(mood);
      const { models, tookMs } = await listed(gateway.url);
      expect(models).toMatchObject([{ name: model }]);
      expect(tookMs).toBeLessThan(LIMIT_MS + 1_000);
      const doctor = runCommand(command.file, ["doctor", "--config", gateway.config]);
      await doctor.ended;
      expect(doctor.stdout() + doctor.stderr()).toMatch(setting);
      expect(doctor.stdout() + doctor.stderr() + gateway.output).not.toContain(PASSWORD);

      await proxy.turn("passes");
      const id = await submitTraining(gateway.url, { model, kind: "train_supervised" });
      await vi.waitFor(async () => expect((await readTask(gateway.url, id)).status).toBe("running"), 10_000);
      await proxy.turn(mood);
      // It comes back, where it does, once the training is over, and before its server's word alone is taken for it.
      const events = () => readJournal(journal).map(({ event }) => event);
      await vi.waitFor(() => expect(events()).toContain("ended"), { timeout: 30_000, interval: 50 });
      if (isBack) await proxy.turn("passes");
      await vi.waitFor(async () => expect((await readTask(gateway.url, id)).status).toBe("succeeded"), {
        timeout: 30_000,
        interval: 100,
      });
      const document = await readDocument(gateway.url, id);
      const { tracking_id } = await readTask(gateway.url, id);
      expect(document).toMatchObject({ run: { run_id: tracking_id, status: "FINISHED" }, error: null });
      // Parameters are the tracker's; metrics the server has as well.
      expect(Object.keys(document?.params ?? {}).length > 0).toBe(isBack);
      expect(Object.keys(document?.metrics ?? {})).not.toEqual([]);
      expect(events()).toEqual(["begun", "ended"]);
      if (mood !== "stopped") expect(proxy.asked[mood]).toBeGreaterThan(0);
    },
    60_000,
  );
});
