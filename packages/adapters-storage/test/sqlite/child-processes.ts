import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { bundle } from "../support/bundle.ts";

const folder = new URL("../../node_modules/.cache/modelgate-test/", import.meta.url);
let built: Promise<void> | undefined;

/** A process that has the store open. */
export interface StoreProcess {
  readonly process: ChildProcess;
  /** What it has printed, line by line. */
  readonly lines: string[];
  /** The line that satisfies, now or later. */
  line(matches: (line: string) => boolean): Promise<string>;
  readonly exited: Promise<number | null>;
}

/** Starts `store-child.ts`; Node 20 needs it bundled. It is killed when the test ends. */
export async function startChild(directory: string, ...command: readonly string[]): Promise<StoreProcess> {
  const child = spawn(process.execPath, [await childFile("child"), directory, ...command], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line) => {
    lines.push(line);
    for (const watch of watchers) watch();
  });
  const exited = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)));
  const line = (matches: (line: string) => boolean): Promise<string> =>
    new Promise((resolve, reject) => {
      const watch = (): void => {
        const found = lines.find(matches);
        if (found === undefined) return;
        watchers.delete(watch);
        resolve(found);
      };
      watchers.add(watch);
      watch();
      void exited.then((code) =>
        reject(new Error(`the process ended with ${code} before it printed the line`)),
      );
    });
  return { process: child, lines, line, exited };
}

/** The bundled program of a child. */
export async function childFile(name: "child" | "ledger-child"): Promise<string> {
  built ??= bundle(folder, {
    child: new URL("./store-child.ts", import.meta.url),
    "ledger-child": new URL("./ledger-child.ts", import.meta.url),
    worker: new URL("../../src/sqlite/worker.ts", import.meta.url),
  });
  await built;
  return fileURLToPath(new URL(`${name}.js`, folder));
}
