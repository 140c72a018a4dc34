import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import { type BuiltCommand, buildCommand } from "../support/build-command.ts";
import { call } from "../support/http-client.ts";
import { type RunningCommand, runCommand } from "../support/run-command.ts";
import { type HangingServer, startHangingServer } from "./hanging-server.ts";
import type { TestStore } from "./test-stores.ts";

export interface Started {
  readonly running: RunningCommand;
  /** Where it listens; empty when it does not. */
  readonly url: string;
}

/** Processes of several roles on one store, before one model server. */
export interface RoleProcesses {
  readonly model: HangingServer;
  readonly folder: string;
  /** Starts a role; resolves once it is at work and, if it serves the API, knows the model. */
  start(role: string, ...args: string[]): Promise<Started>;
  /** Runs a command to its end with the same settings. */
  run(args: readonly string[]): Promise<{ code: number | string; stdout: string; stderr: string }>;
  /** The process that was started last. */
  last(): RunningCommand;
  /** What every process has written so far. */
  output(): string;
  close(): Promise<void>;
}

export async function openRoles(store: TestStore, more: object = {}): Promise<RoleProcesses> {
  const [built, model, folder]: [BuiltCommand, HangingServer, string] = await Promise.all([
    buildCommand(),
    startHangingServer(),
    mkdtemp(join(tmpdir(), "modelgate-roles-")),
  ]);
  const config = join(folder, "modelgate.json");
  const own = {
    dataDir: join(folder, "data"),
    servers: { nlp: model.url },
    adminKey: "the-key-of-this-test",
  };
  const pace = { leaseMs: 3_000, pollMs: 200, defaultLimit: 4, logLevel: "debug" };
  await writeFile(config, JSON.stringify({ ...own, ...pace, ...store.settings, ...more }));
  const started: RunningCommand[] = [];
  const launch = (args: readonly string[]): RunningCommand => {
    const running = runCommand(built.file, [...args, "--config", config], { cwd: folder });
    started.push(running);
    return running;
  };
  return {
    model,
    folder,
    async start(role, ...args) {
      const isApi = role === "gateway" || role === "serve";
      const running = launch([role, ...(isApi ? ["--port", "0"] : []), ...args]);
      if (isApi) {
        const url = await running.listening();
        await until(async () => (await call(url, "/models/")).json.running.length === 1);
        return { running, url };
      }
      await until(() => running.stdout().includes("is at work"));
      return { running, url: /listening on (\S+)/.exec(running.stdout())?.[1] ?? "" };
    },
    async run(args) {
      const running = launch(args);
      const code = await running.ended;
      return { code, stdout: running.stdout(), stderr: running.stderr() };
    },
    last() {
      const found = started.at(-1);
      if (found === undefined) throw new Error("nothing was started");
      return found;
    },
    output: () => started.map(({ stdout, stderr }) => stdout() + stderr()).join("\n"),
    async close() {
      for (const { child } of started) child.kill("SIGKILL");
      await Promise.all(started.map(({ ended }) => ended));
      await Promise.all([model.close(), built.remove(), store.close()]);
      await rm(folder, { recursive: true });
    },
  };
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const look = async (): Promise<void> => {
    if (!(await isSo())) throw new Error("a role did not get to work");
  };
  await vi.waitFor(look, { timeout: 30_000, interval: 50 });
}
