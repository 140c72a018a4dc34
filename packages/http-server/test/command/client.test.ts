import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { lstat, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { call } from "../support/http-client.ts";
import { type Ended, type Fixture, openFixture } from "./fixture.ts";

describe("a command that asks a running gateway", () => {
  let fixture: Fixture;
  let url: string;
  const servers: Server[] = [];

  beforeAll(async () => {
    fixture = await openFixture();
    ({ url } = await fixture.serve());
  });

  afterAll(() => fixture.close());

  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  const ask = (...args: string[]): Promise<Ended> => fixture.run([...args, "--url", url]);

  /** Something that answers, and is no gateway, or not one that this command knows. */
  async function listen(listener: RequestListener): Promise<string> {
    const server = createServer(listener).listen(0, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async function submitted(body: string): Promise<string> {
    const headers = { "content-type": "text/plain" };
    return (await call(url, "/models/nlp/tasks/process", { method: "POST", headers, body })).json.uuid;
  }

  async function ended(body: string): Promise<string> {
    const id = await submitted(body);
    await expect
      .poll(async () => (await call(url, `/tasks/${id}`)).json.status, { timeout: 10_000 })
      .toMatch(/succeeded|failed|cancelled/);
    return id;
  }

  it("lists models, in a table and in JSON", async () => {
    expect(await ask("models")).toEqual({ code: 0, stdout: "MODEL  STATE\nnlp    running\n", stderr: "" });
    const { stdout } = await ask("models", "--verbose");
    expect(stdout).toMatch(
      /^MODEL {2}STATE {4}KIND {4}TYPE +DESCRIPTION\nnlp {4}running {2}static {2}medcat_umls {2}a model\n$/,
    );
    const json = JSON.parse((await ask("models", "--json")).stdout);
    expect(json).toEqual({ running: [{ name: "nlp", is_running: true }], on_demand: [] });
  });

  it("lists tasks newest first, with the key that the gateway left in its directory", async () => {
    const ids = [await ended("one"), await ended("status:422"), await ended("three")];
    const { code, stdout, stderr } = await ask("tasks", "--limit", "3");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const [header, ...rows] = stdout.trimEnd().split("\n");
    expect(header).toMatch(/^ID +STATUS +MODEL +TASK +PRIORITY +AGE +RAN +SERVER$/);
    expect(rows.map((row) => row.split(/ {2,}/)[0])).toEqual([...ids].reverse());
    expect(rows[1]).toMatch(/ {2}failed +nlp +process +5 +\d\.\d s +\d\.\d s +127\.0\.0\.1:\d+$/);
  });

  it("filters and pages lists of tasks", async () => {
    for (let i = 0; i < 3; i += 1) await ended("again");
    const failed = JSON.parse((await ask("tasks", "--status", "failed", "--model", "nlp", "--json")).stdout);
    expect(new Set(failed.tasks.map((task: { status: string }) => task.status))).toEqual(new Set(["failed"]));
    expect((await ask("tasks", "--model", "other")).stderr).toBe("There are no such tasks.\n");
    expect((await ask("tasks", "--limit", "1")).stderr).toMatch(/^There are more: --limit N/);
    const all = JSON.parse((await ask("tasks", "--all", "--json")).stdout);
    expect(all.next_cursor).toBeNull();
    expect(all.tasks.length).toBeGreaterThanOrEqual(3);
    const two = JSON.parse((await ask("tasks", "--limit", "2", "--json")).stdout);
    expect(two.tasks).toEqual(all.tasks.slice(0, 2));
    expect(two.next_cursor).toEqual(expect.any(String));
    expect(JSON.parse((await ask("tasks", "--model", "other", "--json")).stdout)).toEqual({
      tasks: [],
      next_cursor: null,
    });
  });

  it("shows one task, for which it needs no key", async () => {
    const id = await ended("shown");
    const args = ["tasks", id, "--url", url, "--data-dir", "elsewhere"];
    const { code, stdout } = await fixture.run(args);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^uuid +${id}\\nstatus +succeeded\\nmodel +nlp\\n`));
    expect(JSON.parse((await fixture.run([...args, "--json"])).stdout)).toMatchObject({
      uuid: id,
      type: "process",
    });
  });

  it("cancels, and says when there was nothing left to cancel", async () => {
    const id = await submitted("delay:60000");
    await expect
      .poll(async () => (await call(url, `/tasks/${id}`)).json.status, { timeout: 10_000 })
      .toBe("scheduled");
    const { code, stderr } = await ask("cancel", id);
    expect(code).toBe(0);
    expect(stderr === "" || stderr.startsWith("The task was asked to end.")).toBe(true);
    await expect
      .poll(async () => (await call(url, `/tasks/${id}`)).json.status, { timeout: 10_000 })
      .toBe("cancelled");
    expect(await ask("cancel", id)).toMatchObject({ code: 0, stdout: "cancelled\n" });
    const over = await ended("over");
    expect(await ask("cancel", over)).toMatchObject({ code: 1, stdout: "succeeded\n" });
    expect(JSON.parse((await ask("cancel", over, "--json")).stdout)).toEqual({
      uuid: over,
      status: "succeeded",
    });
  });

  it("retries under a new id", async () => {
    const id = await ended("status:422");
    const { code, stdout } = await ask("retry", id);
    expect(code).toBe(0);
    const again = stdout.trim();
    expect(again).not.toBe(id);
    await expect
      .poll(async () => (await call(url, `/tasks/${again}`)).json.status, { timeout: 10_000 })
      .toBe("failed");
    expect(JSON.parse((await ask("retry", id, "--json")).stdout)).toMatchObject({ uuid: expect.any(String) });
  });

  it("writes a result byte for byte, to standard output or into a file", async () => {
    const id = await ended("large:3000000");
    const { code, stdout } = await ask("result", id);
    expect(code).toBe(0);
    expect(stdout).toBe("x".repeat(3_000_000));
    expect((await ask("result", id, "-o", "answer.bin")).code).toBe(0);
    expect((await readFile(join(fixture.folder, "answer.bin"))).byteLength).toBe(3_000_000);
  });

  it("tells a failed task's answer, and one that has none, by the exit code", async () => {
    const failed = await ended("status:422");
    expect(await ask("result", failed)).toEqual({
      code: 1,
      stdout: `{"message":"the server's own words: 422"}`,
      stderr: "The task failed; this is what the model server answered.\n",
    });
    const working = await submitted("delay:3000");
    expect(await ask("result", working)).toMatchObject({ code: 1, stdout: "" });
    expect((await ask("result", working)).stderr).toContain(
      `modelgate tasks ${working} shows how far it is.`,
    );
  });

  it("leaves no part of a result behind that broke off", async () => {
    const broken = await listen((_request, response) => {
      response.writeHead(200, { "x-task-status": "succeeded", "content-length": "1000" });
      response.write("a part");
      setTimeout(() => response.destroy(), 50);
    });
    await writeFile(join(fixture.folder, "kept.bin"), "before");
    const { code, stderr } = await fixture.run(["result", "x", "--output", "kept.bin", "--url", broken]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^The connection broke off before the result was complete/);
    expect(await readFile(join(fixture.folder, "kept.bin"), "utf8")).toBe("before");
    expect((await readdir(fixture.folder)).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  it("replaces no link, device or directory by a result", async () => {
    const id = await ended("small");
    await writeFile(join(fixture.folder, "target.json"), "before");
    await symlink("target.json", join(fixture.folder, "link.json"));
    expect((await ask("result", id, "--output", "link.json")).code).toBe(0);
    expect((await lstat(join(fixture.folder, "link.json"))).isSymbolicLink()).toBe(true);
    expect(await readFile(join(fixture.folder, "target.json"), "utf8")).toBe('{"length":5}');
    const program = "mkfifo";
    execFileSync(program, [join(fixture.folder, "pipe")]);
    const reading = readFile(join(fixture.folder, "pipe"), "utf8");
    expect((await ask("result", id, "--output", "pipe")).code).toBe(0);
    expect(await reading).toBe('{"length":5}');
    expect((await lstat(join(fixture.folder, "pipe"))).isFIFO()).toBe(true);
    const { code, stderr } = await ask("result", id, "--output", ".");
    expect({ code, stderr }).toEqual({ code: 1, stderr: ". cannot be written (EISDIR).\n" });
  });

  it("exits with 4 and the gateway's own words when it refuses", async () => {
    const { code, stderr } = await ask("tasks", "unknown-id");
    expect({ code, stderr }).toEqual({
      code: 4,
      stderr: "The gateway refused (404): Task 'unknown-id' not found\n",
    });
    const wrongKey = await fixture.run(["tasks", "--url", url], {
      environment: { MODELGATE_ADMIN_KEY: "not-the-key-of-this-one" },
    });
    expect(wrongKey).toMatchObject({
      code: 4,
      stderr: "The gateway refused (403): Only admins can list tasks: the key is not that of this gateway.\n",
    });
    const noKey = await fixture.run(["tasks", "--url", url, "--data-dir", "elsewhere"]);
    expect(noKey.code).toBe(4);
    expect(noKey.stderr).toContain("give its key by MODELGATE_ADMIN_KEY");
  });

  it("never sends the key of this machine's gateway to another machine", async () => {
    const keys: unknown[] = [];
    const other = await listen((request, response) => {
      keys.push(request.headers["x-modelgate-key"]);
      response.writeHead(200, { "content-type": "application/json" }).end('{"tasks":[],"next_cursor":null}');
    });
    // The same server by a name that is not taken for this machine.
    await fixture.run(["tasks", "--url", other.replace("127.0.0.1", "0.0.0.0")]);
    await fixture.run(["tasks", "--url", other]);
    expect(keys).toEqual([undefined, expect.stringMatching(/^[\w-]{43}$/)]);
  });

  it("exits with 3 when no gateway answers, or something else does", async () => {
    const closed = await fixture.run(["models", "--url", "http://127.0.0.1:1"]);
    expect(closed).toEqual({
      code: 3,
      stdout: "",
      stderr:
        "No gateway answers at http://127.0.0.1:1/ (ECONNREFUSED). Start one with modelgate serve, or name another with --url.\n",
    });
    const page = await listen((_request, response) => response.writeHead(200).end("<html>"));
    expect((await fixture.run(["models", "--url", page])).code).toBe(3);
    const missing = await listen((_request, response) => response.writeHead(404).end("<html>not found"));
    const { code, stderr } = await fixture.run(["models", "--url", missing]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/is no Modelgate gateway \(status 404\); name one with --url\.\n$/);
  });

  it("exits with 2 when it is called wrongly, and asks nobody", async () => {
    for (const [args, message] of [
      [["tasks", "--limit", "0"], '--limit is "0"; give a whole number from 1 on.'],
      [["tasks", "--status", "runing"], '--status is "runing"; give pending, scheduled, running,'],
      [["tasks", "--all", "--limit", "3"], "Give --limit or --all, not both."],
      [["tasks", "an-id", "--all"], "--all is for a list; leave it out, or leave out the ID."],
      [["tasks", "one", "two"], '"two" is not understood after tasks.'],
      [["cancel"], "cancel needs ID: modelgate cancel ID [options]"],
      [["models", "--json=yes"], "--json takes no value."],
      [["result", "x", "--putput", "y"], "--putput is not a flag of result. Did you mean --output?"],
      [["models", "--url", "ftp://x"], "--url cannot be understood; give an address"],
    ] as const) {
      const { code, stdout, stderr } = await fixture.run(args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain(message);
      expect(stderr).toContain(`modelgate ${args[0]} --help lists what can be given.`);
    }
  }, 30_000);

  it("finds a gateway below a path, and behind a user and a password", async () => {
    const seen: (string | undefined)[] = [];
    const proxy = await listen((request, response) => {
      seen.push(request.url, request.headers.authorization);
      response.writeHead(200, { "content-type": "application/json" }).end('{"running":[],"on_demand":[]}');
    });
    const address = proxy.replace("//", "//me:p%40ss@");
    const { code, stderr } = await fixture.run(["models"], {
      environment: { MODELGATE_URL: `${address}/gate/` },
    });
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: "No model is running. Name servers with modelgate serve --server NAME=URL.\n",
    });
    expect(seen).toEqual(["/gate/models/", `Basic ${Buffer.from("me:p@ss").toString("base64")}`]);
  });

  it("passes nothing on to a terminal that would move its cursor", async () => {
    const rude = await listen((_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(
        JSON.stringify({ running: [{ name: "a\u001b[2Jb\nc", is_running: true }], on_demand: [] }),
      );
    });
    const { stdout } = await fixture.run(["models", "--url", rude]);
    expect(stdout).toBe("MODEL     STATE\na\ufffd[2Jb\ufffdc  running\n");
  });

  it("ends as other programs do when its reader goes", async () => {
    const endless = await listen((_request, response) => {
      const task = { uuid: "x".repeat(1000), status: "pending" };
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ tasks: Array(100).fill(task), next_cursor: "more" }));
    });
    const running = fixture.start(["tasks", "--all", "--url", endless]);
    await once(running.child.stdout as NodeJS.ReadableStream, "data");
    running.child.stdout?.destroy();
    expect(await running.ended).toBe(141);
    expect(running.stderr()).toBe("");
  });
});
