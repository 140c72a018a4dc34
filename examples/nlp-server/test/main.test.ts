import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseCommandLine } from "../src/command-line.ts";
import { exportsForm, postForm } from "./forms.ts";
import { until } from "./running.ts";

const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
let child: ChildProcess | undefined;

afterEach(() => {
  child?.kill("SIGKILL");
});

interface Started {
  url: string;
  lines: string[];
  exit: Promise<unknown[]>;
}

async function run(...args: string[]): Promise<Started> {
  const started = spawn(process.execPath, [main, "--port", "0", ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  child = started;
  const exit = once(started, "exit");
  let output = "";
  started.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  await Promise.race([once(started.stdout, "data"), exit]);
  const lines = output.trimEnd().split("\n");
  const { url } = JSON.parse(lines[0] ?? "") as { url: string };
  return { url, lines, exit };
}

describe("the command", () => {
  it("says in one line of JSON that it listens, with the model ready", async () => {
    const { url, lines } = await run("--model-name", "notes");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { event: "listening", url, model: "notes" },
    ]);
    expect(await (await fetch(`${url}/readyz`)).text()).toBe("nlp_rules");
    expect((await fetch(`${url}/_stats`)).status).toBe(404);
  });

  it("finishes what runs when it is told to stop, and exits with 0", async () => {
    const { url, exit } = await run("--engine", "echo", "--faults");
    await fetch(`${url}/_faults`, { method: "POST", body: '{"kind":"delay","ms":500}' });
    const headers = { "content-type": "text/plain" };
    const answer = fetch(`${url}/process`, { method: "POST", headers, body: "a note" });
    await until(
      async () => ((await (await fetch(`${url}/_stats`)).json()) as { in_flight: number }).in_flight === 1,
    );
    child?.kill("SIGTERM");
    expect(await (await answer).json()).toEqual({ text: "a note", annotations: [] });
    expect(await exit).toEqual([0, null]);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  it("breaks off what hangs after five seconds", async () => {
    const { url, exit } = await run("--engine", "echo", "--faults");
    await fetch(`${url}/_faults`, { method: "POST", body: '{"kind":"hang"}' });
    const headers = { "content-type": "text/plain" };
    const answer = fetch(`${url}/process`, { method: "POST", headers, body: "a note" });
    const failed = expect(answer).rejects.toThrow();
    await until(
      async () => ((await (await fetch(`${url}/_stats`)).json()) as { in_flight: number }).in_flight === 1,
    );
    const began = performance.now();
    child?.kill("SIGINT");
    await failed;
    expect(await exit).toEqual([0, null]);
    expect(performance.now() - began).toBeGreaterThan(4_500);
    expect(performance.now() - began).toBeLessThan(7_000);
  });
});

describe("a training in a process", () => {
  let folder: string;
  let journal: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "runs-journal-"));
    journal = join(folder, "runs.ndjson");
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  interface JournalLine {
    event: string;
    tracking_id: string;
    run_id: string;
    status?: string;
  }

  async function train(
    ...args: string[]
  ): Promise<{ exit: Promise<unknown[]>; runId: string; lines(): JournalLine[] }> {
    const { url, exit } = await run(
      "--engine",
      "echo",
      "--run-ms",
      "60000",
      "--runs-journal",
      journal,
      ...args,
    );
    const response = await postForm({ url }, "/evaluate?tracking_id=t", exportsForm("a"));
    const { run_id } = (await response.json()) as { run_id: string };
    const lines = (): JournalLine[] =>
      readFileSync(journal, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as JournalLine);
    return { exit, runId: run_id, lines };
  }

  it("is killed by SIGTERM within four seconds, and the account says so", async () => {
    const { exit, runId, lines } = await train();
    expect(lines()).toMatchObject([{ event: "begun", tracking_id: "t", run_id: runId, mode: "eval" }]);
    const began = performance.now();
    child?.kill("SIGTERM");
    expect(await exit).toEqual([0, null]);
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(lines()).toMatchObject([
      { event: "begun" },
      { event: "ended", tracking_id: "t", status: "KILLED" },
    ]);
  });

  it("has no end after kill -9, and its beginning is in the account", async () => {
    const { exit, runId, lines } = await train();
    child?.kill("SIGKILL");
    await exit;
    const again = await train();
    expect(lines()).toMatchObject([
      { event: "begun", run_id: runId },
      { event: "begun", run_id: again.runId },
    ]);
  });
});

describe("the command line", () => {
  it("has defaults", () => {
    expect(parseCommandLine([])).toEqual({
      port: 8001,
      host: "127.0.0.1",
      help: false,
      options: {
        modelName: "nlp",
        capacity: 16,
        engine: "nlp",
        streamable: false,
        generative: false,
        legacyPrefix: false,
        tokenMs: 0,
        seed: 1,
        runMs: 0,
        metacat: false,
        behaviours: [],
        faults: false,
      },
    });
  });

  it.each([
    ["--port", "70000"],
    ["--port", "x"],
    ["--capacity", "0"],
    ["--engine", "gpu"],
    ["--nothing", "1"],
    ["--token-ms", "-1"],
    ["--auth-user", "ana"],
    ["--auth-password-file", "a"],
    ["--auth-user", "ana", "--auth-password-file", "/no/such/file"],
    ["--mlflow-url", "file:/tmp"],
    ["--rate-limit", "0"],
    ["--behaviour", "none"],
    ["--behaviour", "parallel:ms=x"],
  ])("refuses %s %s", (...args) => {
    expect(() => parseCommandLine(args)).toThrow();
  });

  it("reads what a deployed server is told of MLflow and of meta models from the environment", () => {
    const env = {
      MLFLOW_TRACKING_URI: "http://mlflow:5000",
      MLFLOW_TRACKING_USERNAME: "admin",
      MLFLOW_TRACKING_PASSWORD: "password",
      DISABLE_METACAT_TRAINING: "false",
    };
    const { options } = parseCommandLine(["--behaviour", "orphan-run,busy-after-end:ms=5:share=0.5"], env);
    expect(options).toMatchObject({
      metacat: true,
      mlflow: { url: "http://mlflow:5000", username: "admin", password: "password", isRequired: false },
      behaviours: [
        { name: "orphan-run", ms: 1_000, share: 1, next: null },
        { name: "busy-after-end", ms: 5, share: 0.5, next: null },
      ],
    });
    expect(parseCommandLine([], { MLFLOW_TRACKING_URI: "file:/runs" }).options.mlflow).toBeUndefined();
  });
});
