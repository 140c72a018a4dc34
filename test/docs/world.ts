import { type ChildProcess, execFile, spawn } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { root } from "./pages.ts";

const cli = join(root, "packages/http-server/dist/cli.js");
const nlpServer = join(root, "examples/nlp-server/dist/main.js");

export interface Ran {
  readonly code: number | string;
  readonly output: string;
}

/** A model server, a gateway before it, and a folder with the files that the pages speak of. */
export interface World {
  readonly folder: string;
  readonly serverUrl: string;
  readonly gatewayUrl: string;
  /** A task that has succeeded. */
  readonly endedTask: string;
  /** Runs a command line in the folder. */
  run(line: string, timeoutMs: number, cwd?: string): Promise<Ran>;
  /** Starts a command line in a folder, waits for `ready` in its output, and stops it. */
  startAndStop(line: string, ready: RegExp, cwd?: string): Promise<Ran>;
  close(): Promise<void>;
}

export async function openWorld(): Promise<World> {
  for (const file of [cli, nlpServer]) {
    if (!existsSync(file)) throw new Error(`${file} is not there; run npm run build first`);
  }
  const folder = mkdtempSync(join(tmpdir(), "modelgate-docs-"));
  const started: ChildProcess[] = [];
  const start = async (args: readonly string[], ready: RegExp): Promise<string> => {
    const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
    started.push(child);
    return await lineOf(child, ready);
  };
  const serverUrl = await start([nlpServer, "--port", "0", "--faults"], /(http:\/\/127\.0\.0\.1:\d+)/);
  const serve = ["serve", "--port", "0", "--data-dir", ".modelgate", "--server", `nlp=${serverUrl}`];
  const gatewayUrl = await start([cli, ...serve], /listening on (http:\/\/127\.0\.0\.1:\d+)/);
  writeFiles(folder);
  const endedTask = await submit(gatewayUrl);
  const env = {
    ...process.env,
    PATH: `${join(folder, "bin")}:${process.env["PATH"]}`,
    MODELGATE_URL: gatewayUrl,
    NO_COLOR: "1",
  };
  return {
    ...{ folder, serverUrl, gatewayUrl, endedTask },
    run(line, timeoutMs, cwd = folder) {
      return new Promise((resolve) => {
        const options = { cwd, env, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 };
        const child = execFile("bash", ["-euo", "pipefail", "-c", line], options, (error, stdout, stderr) => {
          resolve({
            code: error === null ? 0 : (error.code ?? error.signal ?? "?"),
            output: stdout + stderr,
          });
        });
        child.stdin?.end();
      });
    },
    async startAndStop(line, ready, cwd = folder) {
      const child = spawn("bash", ["-c", `exec ${line}`], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
      started.push(child);
      let output = "";
      child.stderr.on("data", (text: Buffer) => {
        output += text.toString();
      });
      const ended = new Promise<number | string>((resolve) => {
        child.once("exit", (code, signal) => resolve(code ?? signal ?? "?"));
      });
      try {
        output += await lineOf(child, ready);
      } catch {
        return { code: "not ready", output };
      }
      child.kill("SIGTERM");
      return { code: await ended, output };
    },
    async close() {
      const running = started.filter((child) => child.exitCode === null && child.signalCode === null);
      await Promise.all(
        running.reverse().map((child) => {
          const ended = new Promise((resolve) => child.once("exit", resolve));
          child.kill("SIGTERM");
          return ended;
        }),
      );
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The first group of the first line that matches, or the line. */
function lineOf(child: ChildProcess, ready: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) throw new Error("nothing to read from");
    createInterface({ input: child.stdout }).on("line", (line) => {
      const found = ready.exec(line);
      if (found !== null) resolve(found[1] ?? line);
    });
    child.once("exit", (code) => reject(new Error(`ended with ${code} before it was ready`)));
  });
}

function writeFiles(folder: string): void {
  const note = "Dr. Maria Keller saw Mr. John Smith on 12 March 2024 at 9:30 am in Berlin.\n";
  writeFileSync(join(folder, "note.txt"), note);
  cpSync(join(root, "examples/nlp-server/notes/notes.ndjson"), join(folder, "notes.ndjson"));
  writeFileSync(join(folder, "export.json"), JSON.stringify({ projects: [] }));
  mkdirSync(join(folder, "bin"));
  const shim = join(folder, "bin/modelgate");
  writeFileSync(shim, `#!/bin/sh\nexec "${process.execPath}" "${cli}" "$@"\n`);
  chmodSync(shim, 0o755);
}

async function submit(gatewayUrl: string): Promise<string> {
  for (let tries = 0; tries < 200; tries += 1) {
    const answer = await fetch(`${gatewayUrl}/models/nlp/tasks/process`, {
      method: "POST",
      headers: { "content-type": "text/plain", prefer: "wait=30" },
      body: "Seen in Berlin.",
    });
    const id = answer.headers.get("x-task-uuid");
    await answer.arrayBuffer();
    if (answer.status === 200 && id !== null) return id;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the model server was not found within 20 s");
}
