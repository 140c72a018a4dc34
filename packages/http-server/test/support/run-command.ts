import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export interface RunningCommand {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** The address, once it says that it listens. */
  listening(): Promise<string>;
}

/** Runs `node file …args` with nothing of the tests' own environment but what Node needs. */
export function runCommand(
  file: string,
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly environment?: Record<string, string>;
    /** What it reads on standard input; nothing by default. */
    readonly input?: string | Uint8Array;
  } = {},
): RunningCommand {
  const child = spawn(process.execPath, [file, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env["PATH"], ...options.environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  // A command that reads nothing may be gone before its input is.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = once(child, "close").then(([code, signal]) => (signal ?? code) as number | string);
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    async listening() {
      for (;;) {
        const found = /listening on (\S+)/.exec(stdout);
        if (found?.[1] !== undefined) return found[1];
        const next = await Promise.race([once(child.stdout, "data"), ended]);
        if (!Array.isArray(next)) throw new Error(`the command ended (${next}): ${stderr}`);
      }
    },
  };
}
