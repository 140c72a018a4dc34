import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { type Fixture, openFixture } from "./fixture.ts";
import {
  hasPostgres,
  hasS3,
  openPostgres,
  openS3,
  runSql,
  type S3OfTest,
  type TestStore,
} from "./test-stores.ts";

const MARKER = "s3cret-marker-of-this-test";
const poolerUrl = requireService("PGBOUNCER_URL");

interface Finding {
  readonly check: string;
  readonly level: string;
  readonly text: string;
  readonly hint?: string;
}

describe("what a doctor says of services", () => {
  let fixture: Fixture;
  let postgres: TestStore;
  let s3: S3OfTest;
  /** A user of the database with no rights of his own. */
  const user = `mg_poor_${randomBytes(4).toString("hex")}`;

  beforeAll(async () => {
    fixture = await openFixture();
    if (hasPostgres) {
      postgres = await openPostgres();
      await runSql(`CREATE ROLE ${user} LOGIN PASSWORD '${MARKER}'`);
    }
    if (hasS3) s3 = await openS3();
  }, 60_000);
  afterAll(async () => {
    if (hasPostgres) {
      await postgres.close();
      await runSql(`DROP OWNED BY ${user}; DROP ROLE ${user}`);
    }
    if (hasS3) await s3.close();
    await fixture.close();
  });

  let count = 0;
  /** What it finds of one check, as text and as JSON; neither holds the marker. */
  async function ask(check: string, settings: object): Promise<Finding[]> {
    count += 1;
    const name = `doctor-${count}.json`;
    const servers = { nlp: fixture.model.url };
    await writeFile(join(fixture.folder, name), JSON.stringify({ adminKey: MARKER, servers, ...settings }));
    const args = ["doctor", "--config", name, "--port", "0"];
    const plain = await fixture.run(args);
    const json = await fixture.run([...args, "--json"]);
    expect(plain.stdout + plain.stderr + json.stdout + json.stderr).not.toContain(MARKER);
    const { ok, findings } = JSON.parse(json.stdout) as { ok: boolean; findings: Finding[] };
    expect([plain.code, json.code]).toEqual(ok ? [0, 0] : [1, 1]);
    const own = findings.filter((finding) => finding.check === check);
    // Both say the same, but for how long it took.
    const shown = plain.stdout.replaceAll(/\d+ ms/g, "N ms");
    for (const { text, hint, level } of own) {
      expect(shown).toContain(text.replaceAll(/\d+ ms/g, "N ms"));
      if (level !== "ok") expect(shown).toContain(`-> ${hint}\n`);
    }
    return own;
  }
  /** The one fault of a check. */
  async function fault(check: string, settings: object): Promise<Finding> {
    const faults = (await ask(check, settings)).filter(({ level }) => level === "fail");
    expect(faults).toHaveLength(1);
    return faults[0] as Finding;
  }

  /** Settings of the database, changed. */
  function database(change: (url: URL) => void, more: object = {}): object {
    const own = postgres.settings["postgres"] as { url: string };
    const url = new URL(own.url);
    change(url);
    return { store: "postgres", postgres: { ...own, url: url.href, ...more } };
  }
  const asPoor = (url: URL): void => {
    url.username = user;
    url.password = MARKER;
  };
  const bucket = (change: object): object => ({
    objects: "s3",
    s3: { ...(s3.settings["s3"] as object), ...change },
  });

  describe.runIf(hasPostgres)("for PostgreSQL", () => {
    it("tells what is there before the first start and after it, and changes nothing", async () => {
      const { schema } = postgres.settings["postgres"] as { schema: string };
      for (const state of [
        /has no tables yet; the first start makes them$/,
        /^schema \w+ has version \d+$/,
      ]) {
        const found = await ask("PostgreSQL", postgres.settings);
        expect(found.filter(({ level }) => level === "ok").map(({ text }) => text)).toEqual([
          expect.stringMatching(
            /^15\.\d+ .*answers at 127\.0\.0\.1:\d+, database postgres, in the clear, in \d+ ms$/,
          ),
          expect.stringMatching(state),
        ]);
        // The servers of tests do without it.
        expect(found.filter(({ level }) => level !== "ok").map(({ text }) => text)).toEqual([
          expect.stringMatching(/^fsync is off, so that accepted tasks may be lost/),
        ]);
        await fixture.run(["migrate", "--config", `doctor-${count}.json`]);
      }
      const old = await ask(
        "PostgreSQL",
        database(() => {}, { schema: `${schema}_x`, migrate: false }),
      );
      expect(old.find(({ level }) => level === "fail")).toMatchObject({
        text: expect.stringMatching(/has no tables$/),
        hint: "run modelgate migrate, or set postgres.migrate (MODELGATE_POSTGRES_MIGRATE) to true",
      });
    });

    it.each([
      [
        "a wrong password",
        (url: URL) => {
          url.password = MARKER;
        },
        {},
        /refused the user or the password/,
        "mend postgres.password (MODELGATE_POSTGRES_PASSWORD)",
      ],
      [
        "an unknown database",
        (url: URL) => {
          url.pathname = "/no_such_database";
        },
        {},
        /the database does not exist/,
        "mend postgres.url (MODELGATE_POSTGRES_URL)",
      ],
      [
        "a server that is not there",
        (url: URL) => {
          url.port = "1";
        },
        { password: MARKER },
        /^at 127\.0\.0\.1:1: nothing answers/,
        "mend postgres.url (MODELGATE_POSTGRES_URL)",
      ],
      [
        "a certificate that nobody trusts",
        () => {},
        { tls: { enabled: true } },
        /the certificate of PostgreSQL is not trusted/,
        "mend postgres.tls.enabled (MODELGATE_POSTGRES_TLS_ENABLED)",
      ],
      [
        "a user who may not make the schema",
        asPoor,
        { schema: "not_there_yet" },
        /the user lacks CREATE on database postgres$/,
        `let its owner run: GRANT CREATE ON DATABASE postgres TO ${user};`,
      ],
    ])("finds %s", async (_what, change, more, text, hint) => {
      const found = await fault("PostgreSQL", database(change, more));
      expect(found).toMatchObject({ text: expect.stringMatching(text), hint });
    });

    it("finds rights that are missing, and what it says to run gives them: then a role starts", async () => {
      const { schema } = postgres.settings["postgres"] as { schema: string };
      await fixture.run(["migrate", "--config", await written(postgres.settings)]);
      const settings = database(asPoor);
      const name = await written(settings);
      for (const [lack, take] of [
        [`USAGE on schema ${schema}`, `REVOKE ALL ON SCHEMA ${schema} FROM ${user}`],
        [`DELETE on ${schema}.ended`, `REVOKE DELETE ON ${schema}.ended FROM ${user}`],
      ] as const) {
        await runSql(take);
        const found = await fault("PostgreSQL", settings);
        expect(found.text).toContain(`the user lacks ${lack}`);
        const refused = await fixture.run(["scheduler", "--config", name]);
        expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 1, stdout: "" });
        expect(refused.stderr.trim().split("\n").at(-1)).toContain(`the user lacks ${lack}; ${found.hint}`);
        await runSql(found.hint?.split("run: ")[1] ?? "");
        expect((await ask("PostgreSQL", settings)).filter(({ level }) => level === "fail")).toEqual([]);
      }
      await runSql(`REVOKE INSERT, UPDATE, DELETE ON ${schema}.modelgate_schema FROM ${user}`);
      expect((await ask("PostgreSQL", settings)).filter(({ level }) => level === "fail")).toEqual([]);
      const running = fixture.start(["scheduler", "--config", name]);
      await expect.poll(running.stdout, { timeout: 10_000 }).toContain("is at work");
      running.child.kill("SIGTERM");
      expect(await running.ended).toBe(0);
    }, 60_000);

    it.runIf(process.env["PG_CA_FILE"])("tells of TLS", async () => {
      const [first] = await ask(
        "PostgreSQL",
        database(() => {}, { tls: { caFile: process.env["PG_CA_FILE"] } }),
      );
      expect(first?.text).toContain(", by TLSv1.3, ");
    });
  });

  async function written(settings: object): Promise<string> {
    count += 1;
    const name = `written-${count}.json`;
    await writeFile(join(fixture.folder, name), JSON.stringify(settings));
    return name;
  }

  it.runIf(poolerUrl)("finds a pooler that no setting tells of, and so does a start", async () => {
    const { schema } = postgres.settings["postgres"] as { schema: string };
    const settings = (pooler: boolean) => ({
      store: "postgres",
      postgres: { url: poolerUrl, schema, pooler },
    });
    const found = await fault("PostgreSQL", settings(false));
    expect(found.text).toMatch(/a pooler stands before the server/);
    expect(found.hint).toContain("set postgres.pooler (MODELGATE_POSTGRES_POOLER) to true");
    const refused = await fixture.run(["gateway", "--config", await written(settings(false))]);
    expect({ code: refused.code, stderr: refused.stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(
        / error .*look at postgres\.pooler \(MODELGATE_POSTGRES_POOLER\) role=gateway\n$/,
      ),
    });
    expect((await ask("PostgreSQL", settings(true))).filter(({ level }) => level === "fail")).toEqual([]);
    const running = fixture.start(["scheduler", "--config", await written(settings(true))]);
    await expect.poll(running.stdout, { timeout: 10_000 }).toContain("is at work");
    running.child.kill("SIGTERM");
    expect(await running.ended).toBe(0);
  });

  describe.runIf(hasS3)("for S3", () => {
    it("says that all of it can be done, and leaves nothing behind", async () => {
      for (let again = 0; again < 2; again += 1) {
        const found = await ask("S3", s3.settings);
        expect(found.map(({ level, text }) => [level, text])).toEqual([
          ["ok", expect.stringMatching(/ answers at 127\.0\.0\.1:\d+ in \d+ ms$/)],
          ["ok", "an object was written, listed, read and deleted"],
        ]);
      }
      expect(await s3.keys()).toEqual([]);
    });

    it.each([
      [
        "an unknown access key",
        { accessKey: MARKER },
        /accessKey/,
        "mend s3.accessKey (MODELGATE_S3_ACCESS_KEY)",
      ],
      [
        "a wrong secret key",
        { secretKey: MARKER },
        /secretKey/,
        "mend s3.secretKey (MODELGATE_S3_SECRET_KEY)",
      ],
      [
        "a bucket that is not there",
        { bucket: "no-such-bucket-here" },
        /bucket does not exist/,
        "mend s3.bucket (MODELGATE_S3_BUCKET)",
      ],
      [
        "a server that is not there",
        { endpoint: "http://127.0.0.1:1", connectTimeoutMs: 500 },
        /^at 127\.0\.0\.1:1: /,
        expect.stringContaining("s3.endpoint (MODELGATE_S3_ENDPOINT)"),
      ],
    ])("finds %s", async (_what, change, text, hint) => {
      expect(await fault("S3", bucket(change))).toMatchObject({ text: expect.stringMatching(text), hint });
    });

    it("finds each right that is missing", async () => {
      const { bucket: name } = s3.settings["s3"] as { bucket: string };
      try {
        for (const action of ["GetObject", "DeleteObject"]) {
          await s3.deny(action);
          const { text, hint } = await fault("S3", s3.settings);
          expect(text).toMatch(/: no object can be (read|deleted)/);
          expect(hint).toContain(`the right s3:${action} on ${name}/*`);
        }
      } finally {
        await s3.allow();
      }
    });
  });

  it("names a certificate file that cannot be read, and goes on", async () => {
    await rm(join(fixture.folder, "gone.pem"), { force: true });
    const s3Settings = { endpoint: "https://127.0.0.1:1", bucket: "b", accessKey: MARKER, secretKey: MARKER };
    const found = await ask("configuration", { objects: "s3", s3: { ...s3Settings, caFile: "gone.pem" } });
    expect(found).toContainEqual(
      expect.objectContaining({
        level: "fail",
        text: expect.stringContaining("s3.caFile (MODELGATE_S3_CA_FILE)"),
      }),
    );
  });
});
