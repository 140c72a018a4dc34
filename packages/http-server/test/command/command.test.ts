import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type BuiltCommand, buildCommand } from "../support/build-command.ts";
import { call } from "../support/http-client.ts";
import { type ModelServer, startModelServer } from "../support/model-server.ts";
import { type RunningCommand, runCommand } from "../support/run-command.ts";

describe("the command", () => {
  let built: BuiltCommand;
  let model: ModelServer;
  let folder: string;
  const started: RunningCommand[] = [];

  beforeAll(async () => {
    [built, model] = await Promise.all([buildCommand(), startModelServer()]);
  });

  afterAll(async () => {
    await Promise.all([built.remove(), model.close()]);
  });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "modelgate-command-"));
  });

  afterEach(async () => {
    for (const { child } of started) child.kill("SIGKILL");
    await Promise.all(started.splice(0).map(({ ended }) => ended));
    await rm(folder, { recursive: true });
  });

  function run(args: readonly string[], environment?: Record<string, string>): RunningCommand {
    const running = runCommand(built.file, args, { cwd: folder, ...(environment && { environment }) });
    started.push(running);
    return running;
  }

  const serve = (...args: string[]): RunningCommand =>
    run(["serve", "--port", "0", "--server", `nlp=${model.url}`, ...args]);

  async function ready(running: RunningCommand): Promise<string> {
    const url = await running.listening();
    await expect
      .poll(async () => (await call(url, "/models/")).json.running.length, { timeout: 10_000 })
      .toBe(1);
    return url;
  }

  const submit = (url: string, body: string, headers: Record<string, string> = {}) =>
    call(url, "/models/nlp/tasks/process", {
      method: "POST",
      headers: { "content-type": "text/plain", ...headers },
      body,
    });

  it("explains itself", async () => {
    const general = run(["--help"]);
    expect(await general.ended).toBe(0);
    expect(general.stdout()).toMatch(/^Usage: modelgate <command>/);
    const own = run(["serve", "--help"]);
    expect(await own.ended).toBe(0);
    expect(own.stdout()).toMatch(
      /--data-dir DIR +directory in which everything is kept \(default \.modelgate\)/,
    );
    for (const args of [
      ["help", "serve"],
      ["serve", "-h"],
      ["serve", "--port", "x", "--help"],
    ]) {
      const again = run(args);
      expect(await again.ended).toBe(0);
      expect(again.stdout()).toBe(own.stdout());
    }
    const version = run(["--version"]);
    expect(await version.ended).toBe(0);
    expect(version.stdout()).toBe("0.0.0-test\n");
  });

  it.each([
    [[], /^Usage: modelgate/],
    [["sevre"], /^"sevre" is not a command\. Did you mean serve\?\n/],
    [["serve", "--prot", "1"], /^--prot is not a flag of serve\. Did you mean --port\?\n/],
    [["help", "sevre"], /^"sevre" is not a command\. Did you mean serve\?\n/],
    [["serve", "--port", "x"], /^--port is "x"; give a whole number from 0 to 65535\.\n/],
  ])("exits with 2 when it is called with %j", async (args, message) => {
    const running = run(args);
    expect(await running.ended).toBe(2);
    expect(running.stderr()).toMatch(message);
    expect(running.stdout()).toBe("");
  });

  it("keeps an admin key for its owner, and takes none but that", async () => {
    const first = serve();
    const url = await ready(first);
    const file = join(folder, ".modelgate/admin-key");
    const key = (await readFile(file, "utf8")).trim();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const list = (sent: string) => call(url, "/tasks/", { headers: { "x-modelgate-key": sent } });
    expect((await list(key)).status).toBe(200);
    expect((await list(`${key}x`)).status).toBe(403);
    expect(first.stdout() + first.stderr()).not.toContain(key);
    first.child.kill("SIGTERM");
    await first.ended;
    await ready(serve());
    expect((await readFile(file, "utf8")).trim()).toBe(key);
  });

  it("makes no key where one is given, and refuses a file that holds none", async () => {
    const given = run(["serve", "--port", "0"], { MODELGATE_ADMIN_KEY: "a-key-from-the-environment" });
    const url = await given.listening();
    const headers = { "x-modelgate-key": "a-key-from-the-environment" };
    expect((await call(url, "/tasks/", { headers })).status).toBe(200);
    expect(await readdir(join(folder, ".modelgate"))).not.toContain("admin-key");
    await writeFile(join(folder, ".modelgate/admin-key"), "");
    const refused = run(["serve", "--port", "0"]);
    expect(await refused.ended).toBe(1);
    expect(refused.stderr()).toMatch(/admin-key holds no key; remove it, and the next start makes a new one/);
  });

  it("tells its metrics, unless it is told not to", async () => {
    const url = await ready(serve());
    await submit(url, "a text", { prefer: "wait=10" });
    const { status, headers, text } = await call(url, "/metrics/");
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(text).toContain(
      'scheduler_tasks_completed_total{model="nlp",type="process",status="succeeded",code="none"} 1',
    );
    expect(text).toContain('modelgate_tasks_in_progress{state="scheduled"} 0');
    const silent = await run(["serve", "--port", "0", "--data-dir", "other", "--metrics=false"]).listening();
    expect((await call(silent, "/metrics")).status).toBe(404);
  });

  it("serves below a path", async () => {
    const running = serve("--base-path", "/gate");
    const url = await running.listening();
    expect(running.stdout()).toMatch(/listening on http:\/\/127\.0\.0\.1:\d+\/gate \(/);
    expect((await call(url, "/gate/health")).status).toBe(200);
    expect((await call(url, "/health")).status).toBe(404);
  });

  it("serves from one directory that only its owner can read, and says so in one line", async () => {
    const running = serve();
    const url = await ready(running);
    expect(running.stdout()).toBe(`modelgate is listening on ${url} (data in .modelgate, 1 server)\n`);
    expect((await stat(join(folder, ".modelgate"))).mode & 0o777).toBe(0o700);
    expect(await readdir(folder)).toEqual([".modelgate"]);
    const answer = await submit(url, "a text", { prefer: "wait=10" });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ length: 6 });
    expect((await call(url, "/health")).status).toBe(200);
  });

  it("reads its environment and its file", async () => {
    await writeFile(
      join(folder, "own.json"),
      JSON.stringify({ dataDir: "from-file", servers: { nlp: model.url }, port: 1 }),
    );
    const running = run(["serve", "--config", "own.json"], { MODELGATE_PORT: "0" });
    await running.listening();
    expect(running.stdout()).toContain("(data in from-file, 1 server)");
  });

  it("counts a server of two models once", async () => {
    const running = serve("--server", `other=${model.url}/`);
    const url = await running.listening();
    expect(running.stdout()).toContain(", 1 server)");
    await expect
      .poll(async () => (await call(url, "/models/")).json.running, { timeout: 10_000 })
      .toHaveLength(2);
  });

  it("exits with 1 and a clear sentence when its port is in use", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const running = run(["serve", "--port", String(port)]);
    expect(await running.ended).toBe(1);
    expect(running.stderr()).toContain(`port ${port} of 127.0.0.1 is in use; choose another one with --port`);
    other.close();
  });

  it("exits with 1 when its data directory cannot be used", async () => {
    await writeFile(join(folder, "file"), "");
    const running = run(["serve", "--port", "0", "--data-dir", "file/data"]);
    expect(await running.ended).toBe(1);
    expect(running.stderr()).toContain("the data directory file/data cannot be used (ENOTDIR)");
  });

  it("finishes what runs when it is told to stop, and leaves the rest to the next one", async () => {
    const first = serve();
    const url = await ready(first);
    const before = model.received.length;
    const waiting = submit(url, "delay:700", { prefer: "wait=30" });
    await expect.poll(() => model.received.length, { timeout: 10_000 }).toBe(before + 1);
    first.child.kill("SIGTERM");
    expect((await waiting).status).toBe(200);
    expect((await waiting).headers["x-task-status"]).toBe("succeeded");
    expect(await first.ended).toBe(0);
    expect(first.stderr()).toMatch(/info stopping signal=SIGTERM/);

    const { "x-task-uuid": id } = (await waiting).headers;
    const second = serve();
    const again = await ready(second);
    expect((await call(again, `/tasks/${id}?download=true`)).json).toEqual({ length: 9 });
  });

  it("keeps what it accepted over a kill", async () => {
    const first = serve();
    const url = await ready(first);
    const { uuid } = (await submit(url, "delay:300")).json;
    first.child.kill("SIGKILL");
    await first.ended;
    const again = await ready(serve());
    await expect
      .poll(async () => (await call(again, `/tasks/${uuid}`)).json.status, { timeout: 115_000 })
      .toBe("succeeded");
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends at once at a second %s", async (signal, code) => {
    const running = serve();
    const url = await ready(running);
    const before = model.received.length;
    const lost = submit(url, "delay:5000", { prefer: "wait=30" }).catch(() => "lost");
    await expect.poll(() => model.received.length, { timeout: 10_000 }).toBe(before + 1);
    running.child.kill(signal);
    await expect.poll(running.stderr, { timeout: 10_000 }).toContain("stopping");
    running.child.kill(signal);
    expect(await running.ended).toBe(code);
    expect(await lost).toBe("lost");
  });

  it("does not mind that nobody reads its output", async () => {
    const running = serve("--log-level", "debug");
    const url = await ready(running);
    running.child.stdout?.destroy();
    running.child.stderr?.destroy();
    for (let i = 0; i < 5; i += 1) await submit(url, "a text", { prefer: "wait=10" });
    expect((await call(url, "/health")).status).toBe(200);
  });

  it("writes no text that it was sent into its log, in plain or in JSON", async () => {
    const running = serve("--log-level", "debug", "--json-logs");
    const url = await ready(running);
    await submit(url, "Maria Keller", { prefer: "wait=10" });
    await submit(url, "status:422", { prefer: "wait=10" });
    await sleep(50);
    running.child.kill("SIGTERM");
    await running.ended;
    const lines = running.stderr().trim().split("\n");
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ time: expect.any(String), level: expect.any(String) });
    expect(lines.some((line) => line.includes("task ended"))).toBe(true);
    expect(running.stderr()).not.toMatch(/Maria|own words/);
  });
});
