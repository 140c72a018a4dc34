import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { bundle } from "../support/bundle.ts";

const folder = new URL("../../node_modules/.cache/postgres-test/", import.meta.url);
let built: Promise<void> | undefined;

/** A process that has a store open, what it printed, and its exit code. */
interface StoreProcess {
  readonly process: ChildProcess;
  readonly lines: string[];
  readonly exited: Promise<number | null>;
}

/** Starts `store-child.ts`; Node 20 needs it bundled. It is killed when the test ends. */
export async function startChild(...command: readonly string[]): Promise<StoreProcess> {
  built ??= bundle(folder, { "store-child": new URL("./store-child.ts", import.meta.url) });
  await built;
  const program = fileURLToPath(new URL("store-child.js", folder));
  const child = spawn(process.execPath, [program, ...command], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  const exited = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)));
  return { process: child, lines, exited };
}
