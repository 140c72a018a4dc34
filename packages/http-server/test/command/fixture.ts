import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import { type BuiltCommand, buildCommand } from "../support/build-command.ts";
import { call } from "../support/http-client.ts";
import { type ModelServer, startModelServer } from "../support/model-server.ts";
import { type RunningCommand, runCommand } from "../support/run-command.ts";

/** What a command left behind. */
export interface Ended {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command, a model server, and a directory in which a gateway may be started. */
export interface Fixture {
  readonly folder: string;
  readonly model: ModelServer;
  /** Starts the command and leaves it running. */
  start(args: readonly string[], options?: RunOptions): RunningCommand;
  /** Runs the command to its end. */
  run(args: readonly string[], options?: RunOptions): Promise<Ended>;
  /** Starts a gateway in the directory; resolves to its address once it knows the model. */
  serve(...args: string[]): Promise<{ readonly url: string; readonly running: RunningCommand }>;
  close(): Promise<void>;
}

interface RunOptions {
  readonly environment?: Record<string, string>;
  readonly input?: string | Uint8Array;
}

export async function openFixture(): Promise<Fixture> {
  const [built, model, folder]: [BuiltCommand, ModelServer, string] = await Promise.all([
    buildCommand(),
    startModelServer(),
    mkdtemp(join(tmpdir(), "modelgate-command-")),
  ]);
  const started: RunningCommand[] = [];
  const fixture: Fixture = {
    folder,
    model,
    start(args, options = {}) {
      const running = runCommand(built.file, args, { cwd: folder, ...options });
      started.push(running);
      return running;
    },
    async run(args, options) {
      const { ended, stdout, stderr } = fixture.start(args, options);
      const code = await ended;
      return { code, stdout: stdout(), stderr: stderr() };
    },
    async serve(...args) {
      const running = fixture.start(["serve", "--port", "0", "--server", `nlp=${model.url}`, ...args]);
      const url = await running.listening();
      await vi.waitFor(
        async () => {
          if ((await call(url, "/models/")).json.running.length !== 1)
            throw new Error("it knows no model yet");
        },
        { timeout: 10_000 },
      );
      return { url, running };
    },
    async close() {
      for (const { child } of started) child.kill("SIGKILL");
      await Promise.all(started.map(({ ended }) => ended));
      await Promise.all([model.close(), built.remove(), rm(folder, { recursive: true })]);
    },
  };
  return fixture;
}
