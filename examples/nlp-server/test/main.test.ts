import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { parseCommandLine } from "../src/command-line.ts";
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

describe("the command line", () => {
  it("has defaults", () => {
    expect(parseCommandLine([])).toEqual({
      port: 8001,
      host: "127.0.0.1",
      help: false,
      options: { modelName: "nlp", capacity: 16, engine: "nlp", runMs: 0, faults: false },
    });
  });

  it.each([
    ["--port", "70000"],
    ["--port", "x"],
    ["--capacity", "0"],
    ["--engine", "gpu"],
    ["--nothing", "1"],
  ])("refuses %s %s", (...args) => {
    expect(() => parseCommandLine(args)).toThrow();
  });
});
