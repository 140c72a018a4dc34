import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fixture, openFixture } from "./fixture.ts";

const MARKER = "s3cret-marker-of-this-test";

describe("modelgate config", () => {
  let fixture: Fixture;

  beforeAll(async () => {
    fixture = await openFixture();
    await writeFile(
      join(fixture.folder, "shared.yaml"),
      `
servers: { nlp: "http://user:${MARKER}@models:8000/base?token=${MARKER}" }
adminKey: ${MARKER}
store: postgres
postgres: { url: "postgres://me:${MARKER}@db:5433/gate?password=${MARKER}", password: ${MARKER} }
objects: s3
s3: { endpoint: "http://s3:9000", bucket: gate, accessKey: ${MARKER}, secretKey: ${MARKER}, sessionToken: ${MARKER} }
queue: redis
redis: { url: "rediss://me:${MARKER}@redis:6380/1", password: ${MARKER} }
wakeups: rabbitmq
rabbitmq: { urls: ["amqp://me:${MARKER}@one/gate", "amqp://me:${MARKER}@two/gate"], password: ${MARKER} }
scheduler: { port: 9100 }
`,
    );
  });
  afterAll(() => fixture.close());

  const run = (args: readonly string[], environment: Record<string, string> = {}) =>
    fixture.run(["config", ...args], { environment });
  const json = async (args: readonly string[], environment?: Record<string, string>) => {
    const { code, stdout, stderr } = await run([...args, "--json"], environment);
    expect(stdout + stderr).not.toContain(MARKER);
    return { code, ...JSON.parse(stdout) };
  };

  it("shows what each setting is and where it comes from", async () => {
    const { code, stdout, stderr } = await run(["--check", "--port", "9"], { MODELGATE_LEASE_MS: "5000" });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const rows = stdout.split("\n").map((line) => line.split(/ {2,}/));
    const row = (name: string) => rows.find(([first]) => first === name)?.slice(1);
    expect(rows[0]).toEqual(["SETTING", "VALUE", "FROM"]);
    expect(row("port")).toEqual(["9", "--port"]);
    expect(row("leaseMs")).toEqual(["5000", "MODELGATE_LEASE_MS"]);
    expect(row("store")).toEqual(["sqlite", "default"]);
    expect(row("adminKey")).toEqual(["-", "default: `DATA_DIR/admin-key`, made at the first start"]);
    // What no chosen store asks for would only be in the way.
    expect(stdout).not.toMatch(/postgres\.|redis\.|rabbitmq\.|s3\./);
  });

  it("shows no secret, and what may be shown of it", async () => {
    const plain = await run(["--config", "shared.yaml"]);
    expect(plain.stdout + plain.stderr).not.toContain(MARKER);
    const { code, ok, settings } = await json(["--check", "--config", "shared.yaml"]);
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    expect(settings).toMatchObject({
      servers: { value: "nlp=http://models:8000/base", from: '"servers" in shared.yaml' },
      adminKey: { value: "(secret)", from: '"adminKey" in shared.yaml' },
      "postgres.url": { value: "postgres://db:5433/gate" },
      "postgres.password": { value: "(secret)" },
      "redis.url": { value: "rediss://redis:6380/1" },
      "redis.password": { value: "(secret)" },
      "rabbitmq.urls": { value: "amqp://one/gate,amqp://two/gate" },
      "rabbitmq.password": { value: "(secret)" },
      "s3.secretKey": { value: "(secret)" },
      "s3.endpoint": { value: "http://s3:9000" },
    });
    const wrong = await json(["--config", "shared.yaml"], {
      MODELGATE_POSTGRES_URL: `mysql://u:${MARKER}@h`,
      MODELGATE_S3_ENDPOINT: `http://u:${MARKER}@h`,
      MODELGATE_RABBITMQ_URLS: `amqp://u:${MARKER}@h, http://u:${MARKER}@h`,
      MODELGATE_SERVERS: MARKER,
    });
    expect(wrong.problems).toHaveLength(4);
  });

  it("shows what another role would get", async () => {
    const scheduler = await json(["--role", "scheduler", "--config", "shared.yaml"]);
    expect(scheduler.settings["scheduler.port"].value).toBe(9100);
    expect(scheduler.settings).not.toHaveProperty("adminKey");
    const reaper = await json(["--role", "reaper", "--config", "shared.yaml"]);
    expect(reaper.settings["postgres.url"].value).toBe("postgres://db:5433/gate");
    const { code, stderr } = await run(["--role", "schedular"]);
    expect({ code, stderr: stderr.split("\n")[0] }).toEqual({
      code: 2,
      stderr: '--role is "schedular"; give serve, gateway, scheduler, reaper. Did you mean scheduler?',
    });
  });

  it.each([
    [
      ["--store", "postgres"],
      'store is "postgres" and its address is not given; give postgres.url (MODELGATE_POSTGRES_URL).',
    ],
    [
      ["--objects", "s3"],
      'objects is "s3" and s3.bucket is not given; give s3.bucket (MODELGATE_S3_BUCKET).',
    ],
    [
      ["--wakeups", "postgres"],
      'wakeups is "postgres", which goes with the store postgres only; give store (MODELGATE_STORE) too.',
    ],
    [
      ["--queue", "redis"],
      'queue is "redis" and its address is not given; give redis.url (MODELGATE_REDIS_URL).',
    ],
    [
      ["--wakeups", "rabbitmq", "--rabbitmq-url", "amqp://h", "--rabbitmq-urls", "amqp://h"],
      "rabbitmq.url and rabbitmq.urls both say where RabbitMQ is; give one of them.",
    ],
    [
      ["--queue", "redis", "--redis-sentinels-nodes", "h:1"],
      "Sentinels are asked for a primary by its name; give redis.sentinels.name (MODELGATE_REDIS_SENTINELS_NAME).",
    ],
    [
      ["--store", "postgres", "--postgres-url", "postgres://h/d", "--postgres-tls-cert-file", "c"],
      "a client's certificate needs its key, and a key its certificate; give postgres.tls.keyFile (MODELGATE_POSTGRES_TLS_KEY_FILE).",
    ],
  ])("ends with 2 for %j, as a start does", async (args, problem) => {
    const { code, ok, problems } = await json(["--check", ...args]);
    expect({ code, ok }).toEqual({ code: 2, ok: false });
    expect(problems).toContain(problem);
    expect((await json(args)).code).toBe(0);
    const started = await fixture.run(["serve", ...args]);
    expect(started.code).toBe(2);
    expect(started.stderr).toContain(problem);
  });

  it("takes the address of PostgreSQL from the variables of its own tools too", async () => {
    expect((await json(["--check", "--store", "postgres"], { PGHOST: "db" })).code).toBe(0);
  });

  it("warns of what is right on one host only, when roles are apart", async () => {
    expect((await json(["--check", "--server", "nlp=http://models"])).warnings).toEqual([]);
    const { code, warnings } = await json(["--check", "--role", "gateway", "--server", "nlp=http://models"]);
    expect(code).toBe(0);
    expect(warnings).toEqual([
      "tasks and objects are kept in the directory .modelgate: every role has to run on this host, on this same directory.",
    ]);
    const half = ["--store", "postgres", "--postgres-url", "postgres://db/gate"];
    expect((await json(["--role", "gateway", ...half])).warnings).toEqual([
      expect.stringMatching(/^objects are kept in the directory \.modelgate: every role/),
      expect.stringMatching(
        /^no admin key is given, so that each gateway makes one of its own; give adminKey/,
      ),
      expect.stringMatching(/^no server is named; every role needs the same servers/),
    ]);
    expect((await json(["--role", "gateway", "--config", "shared.yaml"])).warnings).toEqual([]);
  });

  it.each([
    ["a.mjs", "export default { port: 7 };", 0, undefined],
    ["b.ts", "const port: number = 7; export default { port };", 0, undefined],
    ["c.mjs", `\nthrow new Error("${MARKER}");`, 2, /c\.mjs cannot be loaded \(Error, line 2\)\.$/],
    ["d.mjs", `export default {\n  ${MARKER} };`, 2, /d\.mjs cannot be loaded \(SyntaxError\)\.$/],
    ["e.mjs", 'import "not-there";', 2, /\(ERR_MODULE_NOT_FOUND, not-there is not found\)\.$/],
  ])(
    "runs a configuration that is a module, and tells nothing of what it throws: %s",
    async (name, text, code, fault) => {
      // Below the repository, where a TypeScript file finds what translates it.
      const folder = await mkdtemp(
        fileURLToPath(new URL("../../node_modules/.cache/config-", import.meta.url)),
      );
      const path = join(folder, name);
      await writeFile(path, text);
      try {
        const found = await json(["--check", "--config", path]);
        expect(found.code).toBe(code);
        if (fault === undefined) expect(found.settings.port).toEqual({ value: 7, from: `"port" in ${path}` });
        else expect(found.problems).toEqual([expect.stringMatching(fault)]);
        expect(await readdir(folder)).toEqual([name]);
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  );

  it("of PostgreSQL needs no address for a migration that is only written", async () => {
    const written = await fixture.run(["migrate", "--store", "postgres", "--sql"]);
    expect(written).toMatchObject({ code: 0, stdout: expect.stringMatching(/^BEGIN;\n[\s\S]*\nCOMMIT;\n$/) });
    const refused = await fixture.run(["migrate", "--store", "postgres"]);
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^store is "postgres" and its address/),
    });
  });
});
