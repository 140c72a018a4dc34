import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { isAlive, statusOf, treeOf } from "../../scripts/services/proc.mjs";

export const root: string = fileURLToPath(new URL("../../", import.meta.url));
const launcher = `${root}scripts/services.mjs`;

/** A command of the launcher that says when it runs and with what, and stays. */
export const stays = ["--", "sh", "-c", 'echo "up $PG18_URL"; while :; do sleep 0.05; done'];

export interface Launched {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Resolves to the first line of standard output that begins so. */
  line(start: string): Promise<string>;
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
}

/** Runs the launcher without the services of the run that this test is in. */
export function launch(args: readonly string[], env: Record<string, string> = {}): Launched {
  return run(process.execPath, [launcher, ...args], env);
}

export function run(command: string, args: readonly string[], env: Record<string, string> = {}): Launched {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(PG|PGBOUNCER|S3|MINIO|DOCKER|REDIS|VALKEY|AMQP)\d*_/.test(name),
  );
  const child = spawn(command, args, {
    cwd: root,
    env: { ...Object.fromEntries(own), ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stderr.on("data", (chunk) => {
    output += String(chunk);
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    output += `${line}\n`;
  });
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal }));
  const line = async (start: string): Promise<string> => {
    for (;;) {
      const found = lines.find((each) => each.startsWith(start));
      if (found !== undefined) return found;
      if (child.exitCode !== null) throw new Error(`it ended without a line "${start}":\n${output}`);
      await sleep(10);
    }
  };
  return { child, output: () => output, line, ended };
}

/** Everything below `pid` that runs now, with what tells it from a later process of the same number. */
export function noteTree(pid: number): [number, string | undefined][] {
  return treeOf(pid).map((each: number) => [each, statusOf(each)?.startedAt]);
}

/** Those of `noted` that are still there when three seconds are over; a zombie is gone. */
export async function leftOf(noted: [number, string | undefined][]): Promise<number[]> {
  const left = (): number[] => noted.filter(([pid, at]) => isAlive(pid, at)).map(([pid]) => pid);
  for (const end = performance.now() + 3000; left().length > 0 && performance.now() < end; ) await sleep(20);
  return left();
}
