import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { checkNode } from "../../src/command/doctor/check-environment.ts";
import { type Fixture, openFixture } from "./fixture.ts";

interface Finding {
  readonly check: string;
  readonly level: string;
  readonly text: string;
  readonly hint?: string;
}

describe("modelgate doctor", () => {
  let fixture: Fixture;
  let dataDir: string;

  beforeAll(async () => {
    fixture = await openFixture();
  });
  afterAll(() => fixture.close());
  beforeEach(async () => {
    dataDir = await mkdtemp(join(fixture.folder, "data-"));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  const server = (): string[] => ["--server", `nlp=${fixture.model.url}`];

  async function doctor(
    ...args: string[]
  ): Promise<{ code: number | string; ok: boolean; findings: Finding[] }> {
    const given = ["doctor", "--json", "--data-dir", dataDir, "--port", "0", ...args];
    const { code, stdout } = await fixture.run(given);
    return { code, ...JSON.parse(stdout) };
  }

  const bad = (findings: readonly Finding[]): Finding[] => findings.filter(({ level }) => level !== "ok");

  /** Every fault that is found names what mends it. */
  async function expectFault(check: string, text: RegExp, ...args: string[]): Promise<void> {
    const { code, ok, findings } = await doctor(...args);
    expect({ code, ok }).toEqual({ code: 1, ok: false });
    const fault = findings.find(({ level }) => level === "fail");
    expect(fault).toEqual({
      check,
      level: "fail",
      text: expect.stringMatching(text),
      hint: expect.any(String),
    });
  }

  async function inDatabase(sql: string): Promise<void> {
    const Libsql = createRequire(import.meta.url)("libsql");
    const db = new Libsql(join(dataDir, "modelgate.db"));
    db.exec(sql);
    db.close();
  }

  async function servedOnce(): Promise<void> {
    const { running } = await fixture.serve("--data-dir", dataDir);
    running.child.kill("SIGTERM");
    await running.ended;
  }

  it("finds nothing wrong before the first start, and leaves nothing behind", async () => {
    await rm(dataDir, { recursive: true });
    const { code, stdout, stderr } = await fixture.run([
      "doctor",
      "--data-dir",
      dataDir,
      "--port",
      "0",
      ...server(),
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const line of stdout.trimEnd().split("\n").slice(0, -2)) expect(line).toMatch(/^ok {4}\S/);
    expect(stdout).toContain("127.0.0.1:");
    expect(stdout).toMatch(/\n\nAll is well\.\n$/);
    expect(stdout).not.toContain("\u001b");
    await mkdir(dataDir, { mode: 0o700 });
    expect((await doctor(...server())).findings.filter(({ level }) => level !== "ok")).toEqual([]);
    expect(await readdir(dataDir)).toEqual([]);
  });

  it("looks at a gateway that runs without disturbing it", async () => {
    const { url, running } = await fixture.serve("--data-dir", dataDir);
    const before = await readdir(dataDir);
    const { code, findings } = await doctor("--port", new URL(url).port, ...server());
    expect({ code, bad: bad(findings) }).toEqual({ code: 0, bad: [] });
    const texts = findings.map(({ check, text }) => `${check}: ${text}`);
    expect(texts).toContain(`database: it is open in process ${running.child.pid} (node)`);
    expect(texts).toContain(`port: a healthy gateway answers at ${new URL(url).port} of 127.0.0.1`);
    expect(texts).toContain("admin key: the running gateway takes it");
    expect(texts).toContain("database: nothing in it is broken");
    expect((await readdir(dataDir)).filter((name) => name !== "objects")).toEqual(
      before.filter((name) => name !== "objects"),
    );
    expect(running.stderr()).not.toMatch(/ (warn|error) /);
    running.child.kill("SIGTERM");
    expect(await running.ended).toBe(0);
  });

  it("finds every mistake of the configuration, and goes on", async () => {
    await writeFile(join(fixture.folder, "bad.json"), '{"prot":1,"leaseMs":1}');
    const { code, findings } = await doctor("--config", "bad.json", ...server());
    expect(code).toBe(1);
    expect(bad(findings).map(({ check, level }) => [check, level])).toEqual([
      ["configuration", "fail"],
      ["configuration", "fail"],
    ]);
    expect(findings.map(({ check }) => check)).toContain("port");
    const { stdout } = await fixture.run([
      "doctor",
      "--config",
      "bad.json",
      "--data-dir",
      dataDir,
      "--port",
      "0",
    ]);
    expect(stdout).toMatch(
      /^FAIL {2}configuration {3}bad\.json has an unknown key "prot"\. Did you mean port\?\n {22}-> /m,
    );
    expect(stdout).toMatch(/\n2 faults, 1 warning\.\n$/);
  });

  it("finds a variable that nobody reads", async () => {
    const { stdout } = await fixture.run(
      ["doctor", "--json", "--data-dir", dataDir, "--port", "0", ...server()],
      {
        environment: { MODELGATE_PROT: "1" },
      },
    );
    expect(bad(JSON.parse(stdout).findings)).toMatchObject([{ check: "configuration", level: "warn" }]);
  });

  it("finds a Node that is too old", () => {
    expect(checkNode("20.18.3")).toMatchObject({ level: "fail", hint: "install Node 20.19 or newer" });
    expect(checkNode("18.20.0").level).toBe("fail");
    for (const version of ["20.19.0", "22.1.0", "24.0.0"]) expect(checkNode(version).level).toBe("ok");
  });

  it("finds a data directory that cannot be one", async () => {
    await writeFile(join(dataDir, "file"), "");
    await expectFault("data directory", /is no directory$/, "--data-dir", join(dataDir, "file"), ...server());
    await expectFault(
      "data directory",
      /\(ENOTDIR\)$/,
      "--data-dir",
      join(dataDir, "file", "below"),
      ...server(),
    );
  });

  it("finds rights that let others read, of the directory and of the key", async () => {
    await servedOnce();
    await chmod(dataDir, 0o755);
    await chmod(join(dataDir, "admin-key"), 0o644);
    const { code, findings } = await doctor(...server());
    expect(code).toBe(0);
    expect(bad(findings)).toMatchObject([
      { check: "data directory", level: "warn", hint: `chmod 700 ${dataDir}` },
      { check: "admin key", level: "warn", hint: `chmod 600 ${join(dataDir, "admin-key")}` },
    ]);
  });

  it("finds a database of a newer release, of an older one, and of something else", async () => {
    await servedOnce();
    await inDatabase("PRAGMA user_version = 99");
    await expectFault("database", /^schema version 99 is newer than the \d+ of this release$/, ...server());
    await inDatabase("PRAGMA user_version = 0");
    expect(bad((await doctor(...server())).findings)).toMatchObject([{ check: "database", level: "warn" }]);
    await inDatabase("PRAGMA application_id = 1");
    await expectFault("database", /is a database of something else$/, ...server());
    await writeFile(
      join(dataDir, "modelgate.db"),
      "no database at all, but long enough to be looked at".repeat(100),
    );
    await rm(join(dataDir, "modelgate.db-wal"), { force: true });
    await expectFault("database", /cannot be read/, ...server());
  });

  it("finds a broken database", async () => {
    await servedOnce();
    await inDatabase("CREATE TABLE t (a); INSERT INTO t VALUES (1); PRAGMA wal_checkpoint(TRUNCATE)");
    await inDatabase(
      "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 2 WHERE name = 't'; PRAGMA writable_schema = OFF",
    );
    await expectFault("database", /^it is broken: /, ...server());
  });

  it("finds an admin key that is none, and one that the running gateway does not take", async () => {
    await writeFile(join(dataDir, "admin-key"), "short");
    await expectFault("admin key", /cannot be used$/, ...server());
    await rm(join(dataDir, "admin-key"));
    const { url } = await fixture.serve("--data-dir", dataDir);
    const args = ["--port", new URL(url).port, "--admin-key", "another-key-altogether", ...server()];
    await expectFault("admin key", /^the running gateway does not take it$/, ...args);
  });

  it("finds a port that something else has", async () => {
    const other = createServer((socket) => socket.end("hello\n")).listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    await expectFault("port", /in use by something that is no gateway$/, "--port", String(port), ...server());
    other.close();
    await expectFault(
      "port",
      /cannot be used \(EADDRNOTAVAIL\)$/,
      "--port",
      "1234",
      "--host",
      "203.0.113.1",
      ...server(),
    );
  });

  it("waits for nobody who has the port and says nothing", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    await expectFault("port", /in use by something that is no gateway$/, "--port", String(port), ...server());
    silent.close();
  });

  it("finds servers that are not known, not there, not ready, or of another kind", async () => {
    await expectFault("server a", /is no known host/, "--server", "a=http://no-such-host.invalid:1");
    await expectFault("server a", /is not ready: no connection$/, "--server", "a=http://127.0.0.1:1");
    const starting = await import("node:http").then(({ createServer: create }) =>
      create((request, response) =>
        response.writeHead(request.url === "/readyz" ? 503 : 200).end("{}"),
      ).listen(0, "127.0.0.1"),
    );
    await once(starting, "listening");
    const at = `http://user:secret@127.0.0.1:${(starting.address() as AddressInfo).port}`;
    await expectFault("server a", /is not ready: \/readyz answered 503$/, "--server", `a=${at}`);
    const { stdout } = await fixture.run([
      "doctor",
      "--port",
      "0",
      "--data-dir",
      dataDir,
      "--server",
      `a=${at}`,
    ]);
    expect(stdout).not.toContain("secret");
    starting.removeAllListeners("request");
    starting.on("request", (_request, response) => response.end("not JSON"));
    const { code, findings } = await doctor("--server", `a=${at}`);
    expect(code).toBe(0);
    expect(bad(findings)).toMatchObject([
      { check: "server a", level: "warn", text: expect.stringContaining("does not say") },
    ]);
    starting.close();
    expect(bad((await doctor()).findings)).toMatchObject([{ check: "server", level: "warn" }]);
  });

  it("finds a clock that was set back", async () => {
    await servedOnce();
    const future = new Date(Date.now() + 3_600_000);
    await utimes(join(dataDir, "modelgate.db"), future, future);
    expect(bad((await doctor(...server())).findings)).toMatchObject([{ check: "clock", level: "warn" }]);
  });
});
