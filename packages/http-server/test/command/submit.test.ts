import { once } from "node:events";
import { readFileSync } from "node:fs";
import { readFile, truncate, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { call } from "../support/http-client.ts";
import { type Ended, type Fixture, openFixture } from "./fixture.ts";

describe("modelgate submit", () => {
  let fixture: Fixture;
  let url: string;
  const servers: Server[] = [];

  beforeAll(async () => {
    fixture = await openFixture();
    ({ url } = await fixture.serve());
  });

  afterAll(() => fixture.close());

  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  const submit = (args: readonly string[], input?: string | Uint8Array): Promise<Ended> =>
    fixture.run(["submit", "--model", "nlp", "--task", "process", "--url", url, ...args], {
      ...(input !== undefined && { input }),
    });

  async function write(name: string, content: string | Uint8Array): Promise<string> {
    await writeFile(join(fixture.folder, name), content);
    return name;
  }

  async function listen(listener: RequestListener, onContinue?: RequestListener): Promise<string> {
    const server = createServer(listener).listen(0, "127.0.0.1");
    if (onContinue !== undefined) server.on("checkContinue", onContinue);
    servers.push(server);
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const lastReceived = () => {
    const last = fixture.model.received.at(-1);
    if (last === undefined) throw new Error("nothing was received");
    return last;
  };

  it("writes the id of a task that is durable", async () => {
    const { code, stdout, stderr } = await submit([await write("note.txt", "a note")]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^[\w-]{36}\n$/);
    expect((await call(url, `/tasks/${stdout.trim()}`)).status).toBe(200);
    const json = JSON.parse((await submit(["note.txt", "--json"])).stdout);
    expect(json).toEqual({ uuid: expect.any(String), status: "Task submitted successfully" });
  });

  it("sends bytes, query, media type, priority and key as they were given", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
    await write("all.bin", bytes);
    const args = ["all.bin", "--query", "a=1&2", "--query", "b='x'", "--query", "a=ü", "--priority", "9"];
    const key = ["--content-type", "text/plain; charset=x-own", "--idempotency-key", "key-1", "--watch"];
    expect((await submit([...args, ...key])).code).toBe(0);
    const { target, headers, body } = lastReceived();
    expect(body.equals(bytes)).toBe(true);
    expect(target).toBe("/process?a=1%262&b='x'&a=%C3%BC");
    expect(headers["content-type"]).toBe("text/plain; charset=x-own");
    const before = fixture.model.received.length;
    const first = JSON.parse((await fixture.run(["tasks", "--limit", "1", "--json", "--url", url])).stdout)
      .tasks[0];
    expect(first.priority).toBe(9);
    const again = await submit([...args, ...key.slice(0, -1)]);
    expect(again.stdout.trim()).toBe(first.uuid);
    expect(fixture.model.received.length).toBe(before);
    expect(await submit(["all.bin", "--query", "a=other", ...key])).toMatchObject({ code: 4 });
  });

  it("reads standard input, whatever its size", async () => {
    expect(await submit(["-", "--watch"], "from a pipe")).toMatchObject({ code: 0, stdout: '{"length":11}' });
    const large = Buffer.alloc(5_000_000, "y");
    expect(await submit(["-", "--watch"], large)).toMatchObject({ code: 0, stdout: '{"length":5000000}' });
    expect(await submit(["-", "--watch"], "")).toMatchObject({ code: 0, stdout: '{"length":0}' });
  });

  it("chooses the media type by the task, and sends no body for one that takes none", async () => {
    await write("list.json", "[]");
    const bulk = ["--model", "nlp", "--task", "process_bulk", "--url", url, "--watch"];
    expect((await fixture.run(["submit", "list.json", ...bulk])).code).toBe(0);
    expect(lastReceived().headers["content-type"]).toBe("application/json");
    const info = await fixture.run(["submit", "--model", "nlp", "--task", "info", "--url", url, "--watch"]);
    expect(info).toMatchObject({ code: 0, stdout: expect.stringContaining("medcat_umls") });
  });

  it("sends a form, its parts in order and byte for byte", async () => {
    const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => at % 251);
    await write("ex port.json", bytes);
    const { code } = await fixture.run([
      ...["submit", "--model", "nlp", "--task", "train_supervised", "--url", url],
      ...["--field", "description=first, and 'last'", "--field", "epochs=2", "--field", "epochs=3"],
      ...["--file", "trainer_export=@ex port.json", "--file", 'o"ther=ex port.json;type=text/x-own'],
    ]);
    expect(code).toBe(0);
    await expect
      .poll(() => fixture.model.received.at(-1)?.target, { timeout: 10_000 })
      .toMatch(/^\/train_supervised/);
    const { headers, body } = lastReceived();
    const type = headers["content-type"] ?? "";
    expect(type).toMatch(/^multipart\/form-data; boundary=[\w-]+$/);
    // Whoever reads forms otherwise must read the same.
    const form = await new Response(body as Uint8Array<ArrayBuffer>, {
      headers: { "content-type": type },
    }).formData();
    expect(form.getAll("epochs")).toEqual(["2", "3"]);
    expect(form.get("description")).toBe("first, and 'last'");
    const file = form.get("trainer_export") as File;
    expect([file.name, file.type]).toEqual(["ex port.json", "application/json"]);
    expect(Buffer.from(await file.arrayBuffer()).equals(bytes)).toBe(true);
    expect((form.get('o"ther') as File).type).toBe("text/x-own");
  });

  describe("--watch", () => {
    it("ends with the result, and says once that it waits", async () => {
      const { code, stdout, stderr } = await submit([await write("text.txt", "some text"), "--watch"]);
      expect({ code, stdout }).toEqual({ code: 0, stdout: '{"length":9}' });
      expect(stderr).toMatch(/^[\w-]{36}: submitted, waiting for its end\n$/);
    });

    it("writes the result into a file, and its progress in JSON", async () => {
      const { code, stdout, stderr } = await submit(
        ["-", "--watch", "--json", "-o", "out.json"],
        "delay:400",
      );
      expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
      expect(await readFile(join(fixture.folder, "out.json"), "utf8")).toBe('{"length":9}');
      const lines = stderr
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect(lines.at(-1)).toEqual({
        uuid: lines[0].uuid,
        status: "succeeded",
        elapsed_ms: expect.any(Number),
      });
      expect(lines.map(({ status }) => status)).toContain("scheduled");
    });

    it("tells a failure without quoting the server", async () => {
      const { code, stdout, stderr } = await submit(["-", "--watch"], "status:422");
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(
        /\nTask [\w-]+ failed: .+ modelgate result [\w-]+ shows what the server answered, if it did\.\n$/,
      );
      expect(stderr).not.toContain("own words");
    });

    it("tells that somebody else cancelled the task", async () => {
      const running = fixture.start(
        ["submit", "-", "--model", "nlp", "--task", "process", "--url", url, "--watch"],
        {
          input: "delay:60000",
        },
      );
      await expect.poll(running.stderr, { timeout: 10_000 }).toMatch(/^[\w-]{36}:/);
      await call(url, `/tasks/${running.stderr().slice(0, 36)}`, { method: "DELETE" });
      expect(await running.ended).toBe(1);
      expect(running.stderr()).toMatch(/was cancelled\.\n$/);
    });

    it("leaves the task alone when it is interrupted", async () => {
      const running = fixture.start(
        ["submit", "-", "--model", "nlp", "--task", "process", "--url", url, "--watch"],
        {
          input: "delay:1500",
        },
      );
      await expect.poll(running.stderr, { timeout: 10_000 }).toMatch(/^[\w-]{36}:/);
      const id = running.stderr().slice(0, 36);
      running.child.kill("SIGINT");
      expect(await running.ended).toBe(130);
      expect(running.stderr()).toContain(`The task goes on. modelgate tasks ${id} shows how far it is`);
      await expect
        .poll(async () => (await call(url, `/tasks/${id}`)).json.status, { timeout: 15_000 })
        .toBe("succeeded");
    });

    it("waits for a gateway that goes away and comes back", async () => {
      const own = await fixture.serve("--data-dir", "own");
      const args = [
        "submit",
        "-",
        "--model",
        "nlp",
        "--task",
        "process",
        "--url",
        own.url,
        "--watch",
        "--json",
      ];
      const running = fixture.start(args, { input: "delay:1000" });
      await expect.poll(running.stderr, { timeout: 10_000 }).toContain('"scheduled"');
      own.running.child.kill("SIGKILL");
      await expect.poll(running.stderr, { timeout: 15_000 }).toContain('"unreachable"');
      await fixture.serve("--data-dir", "own", "--port", new URL(own.url).port);
      expect(await running.ended).toBe(0);
      expect(running.stdout()).toBe('{"length":10}');
    });
  });

  it("streams a file at constant memory", async () => {
    let received = 0;
    const sink = await listen((request, response) => {
      // Whoever reads ahead of a slow gateway holds all of it.
      setTimeout(() => {
        request.on("data", (chunk: Buffer) => {
          received += chunk.byteLength;
        });
      }, 1_500);
      request.on("end", () => {
        response.writeHead(200, { "content-type": "application/json" });
        response.end('{"uuid":"an-id","status":"accepted"}');
      });
    });
    const sizeBytes = 400 * 1024 ** 2;
    await write("large.txt", "");
    await truncate(join(fixture.folder, "large.txt"), sizeBytes);
    const running = fixture.start([
      "submit",
      "large.txt",
      "--model",
      "m",
      "--task",
      "process",
      "--url",
      sink,
    ]);
    let mostKib = 0;
    const sampling = setInterval(() => {
      try {
        const status = readFileSync(`/proc/${running.child.pid}/status`, "utf8");
        mostKib = Math.max(mostKib, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
      } catch {
        // It has ended.
      }
    }, 20);
    expect(await running.ended).toBe(0);
    clearInterval(sampling);
    expect(received).toBe(sizeBytes);
    expect(mostKib).toBeGreaterThan(20 * 1024);
    expect(mostKib).toBeLessThan(150 * 1024);
  });

  it("does not send a large body that would be refused", async () => {
    let received = 0;
    const refuse: RequestListener = (request, response) => {
      request.on("data", (chunk: Buffer) => {
        received += chunk.byteLength;
      });
      response.writeHead(503, {
        "content-type": "application/json",
        "retry-after": "5",
        connection: "close",
      });
      response.end(`{"detail":"Model 'm' is not available."}`);
    };
    let asked = 0;
    const refusing = await listen(refuse, (request, response) => {
      asked += 1;
      refuse(request, response);
    });
    const args = ["submit", "-", "--model", "m", "--task", "process", "--url", refusing];
    const { code, stderr } = await fixture.run(args, { input: Buffer.alloc(8_000_000) });
    expect({ code, stderr }).toEqual({
      code: 4,
      stderr: "The gateway refused (503): Model 'm' is not available. It may go through in 5 s.\n",
    });
    expect({ asked, received }).toEqual({ asked: 1, received: 0 });
    const real = await fixture.run(["submit", "-", "--model", "none", "--task", "process", "--url", url], {
      input: Buffer.alloc(8_000_000),
    });
    expect(real.code).toBe(4);
    expect(real.stderr).toContain("Model 'none' is not available");
  });

  it("says that a task may have been accepted when the answer is lost", async () => {
    const breaking = await listen((request) => {
      request.resume().on("end", () => request.socket.destroy());
    });
    await write("note.txt", "a note");
    const args = ["submit", "note.txt", "--model", "m", "--task", "process", "--url", breaking];
    const { code, stderr } = await fixture.run(args);
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /^The connection broke off .* with --idempotency-key it is harmless to submit it again\.\n$/,
    );
  });

  it("exits with 2 when it is called wrongly, and sends nothing", async () => {
    await write("note.txt", "a note");
    const before = fixture.model.received.length;
    for (const [args, message] of [
      [["note.txt", "--model", "nlp"], "--task is missing."],
      [["note.txt", "--task", "process"], "--model is missing."],
      [["--model", "nlp", "--task", "process"], "process needs FILE, or - for standard input."],
      [["--model", "nlp", "--task", "evaluate"], "evaluate needs --file NAME=PATH."],
      [
        ["note.txt", "--model", "nlp", "--task", "evaluate"],
        "evaluate takes a form: give --file NAME=note.txt",
      ],
      [["none.txt", "--model", "nlp", "--task", "process"], "none.txt cannot be read (ENOENT)."],
      [[".", "--model", "nlp", "--task", "process"], ". is a directory; give a file."],
      [
        ["note.txt", "--model", "nlp", "--task", "process", "--priority", "11"],
        '--priority is "11"; give a whole',
      ],
      [
        ["note.txt", "--model", "nlp", "--task", "process", "--query", "x"],
        '--query is "x"; give NAME=VALUE.',
      ],
      [
        ["note.txt", "--model", "nlp", "--task", "process", "--file", "a=b"],
        "Give a FILE, or the parts of a form",
      ],
      [["note.txt", "--model", "nlp", "--task", "process", "-o", "x"], "--output goes with --watch."],
      [["--model", "nlp", "--task", "evaluate", "--file", "a=none"], "none cannot be read (ENOENT)."],
    ] as const) {
      const { code, stdout, stderr } = await fixture.run(["submit", ...args, "--url", url]);
      expect({ code, stdout, stderr }).toEqual({
        code: 2,
        stdout: "",
        stderr: expect.stringContaining(message),
      });
    }
    expect(fixture.model.received.length).toBe(before);
  }, 30_000);
});
