import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fixture, openFixture } from "./fixture.ts";
import { hasPostgres, hasS3, openPostgres, openS3, runSql, type TestStore } from "./test-stores.ts";

const MARKER = "s3cret-marker-of-this-test";
const ROLES = ["serve", "gateway", "scheduler", "reaper"];

describe("a start that cannot succeed", () => {
  let fixture: Fixture;
  let postgres: TestStore;
  let s3: TestStore;
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
      await runSql(`DROP ROLE ${user}`);
    }
    if (hasS3) await s3.close();
    await fixture.close();
  });

  let count = 0;
  /** Starts a role with these settings, in plain and in JSON; resolves to the last line of its log. */
  async function fail(settings: Record<string, unknown>, code = 1, role?: string): Promise<string> {
    count += 1;
    const name = `start-${count}.json`;
    const shared = { adminKey: MARKER, logLevel: "debug", startTimeoutMs: 20_000 };
    await writeFile(join(fixture.folder, name), JSON.stringify({ ...shared, ...settings }));
    const args = [role ?? (ROLES[count % ROLES.length] as string), "--config", name];
    const beganMs = performance.now();
    const [plain, json] = await Promise.all([fixture.run(args), fixture.run([...args, "--json-logs"])]);
    expect(plain.stdout + plain.stderr + json.stdout + json.stderr).not.toContain(MARKER);
    expect({ plain: plain.code, json: json.code, stdout: plain.stdout }).toEqual({
      plain: code,
      json: code,
      stdout: "",
    });
    // What only somebody can mend is not waited for.
    expect(performance.now() - beganMs).toBeLessThan(10_000);
    const message = JSON.parse(json.stderr.trim().split("\n").at(-1) ?? "").message;
    const line = plain.stderr.trim().split("\n").at(-1) ?? "";
    expect(line).toContain(` error ${message} role=`);
    return message;
  }

  /** Settings of the database, changed. */
  function database(change: (url: URL) => void, more: object = {}): Record<string, unknown> {
    const own = postgres.settings["postgres"] as { url: string };
    const url = new URL(own.url);
    change(url);
    return { store: "postgres", postgres: { ...own, url: url.href, ...more } };
  }
  const bucket = (change: object): Record<string, unknown> => ({
    objects: "s3",
    s3: { ...(s3.settings["s3"] as object), ...change },
  });

  describe.runIf(hasPostgres)("for PostgreSQL", () => {
    it.each([
      [
        "the password is wrong",
        (url: URL) => {
          url.password = MARKER;
        },
        {},
        /refused the user or the password.*look at postgres\.password \(MODELGATE_POSTGRES_PASSWORD\)$/,
      ],
      [
        "the password of the setting is wrong",
        () => {},
        { password: MARKER },
        /refused the user or the password.*look at postgres\.password/,
      ],
      [
        "there is no such database",
        (url: URL) => {
          url.pathname = "/no_such_database";
        },
        {},
        /the database does not exist.*look at postgres\.url \(MODELGATE_POSTGRES_URL\)$/,
      ],
      [
        "the user may not make the schema",
        (url: URL) => {
          url.username = user;
          url.password = MARKER;
        },
        {},
        /the user lacks CREATE on database postgres; let its owner run: GRANT CREATE ON DATABASE postgres TO mg_poor_\w+;$/,
      ],
      [
        "its certificate is not trusted",
        () => {},
        { tls: { enabled: true } },
        /certificate of PostgreSQL is not trusted.*look at postgres\.tls\.enabled/,
      ],
      ["its schema is left to others", () => {}, { migrate: false }, /modelgate migrate/],
    ])("says that %s", async (_what, change, more, message) => {
      const said = await fail(database(change, more));
      expect(said).toMatch(/^PostgreSQL at 127\.0\.0\.1:\d+: /);
      expect(said).toMatch(message);
    });

    it("names the file of a certificate that is none", async () => {
      const said = await fail(database(() => {}, { tls: { caFile: "start-1.json" } }));
      expect(said).toBe(
        "postgres.tls.caFile (MODELGATE_POSTGRES_TLS_CA_FILE) names start-1.json, which is not PEM, which has a line -----BEGIN …-----.",
      );
    });

    it.runIf(process.env["PG_CA_FILE"])("begins where the certificate is trusted", async () => {
      const settings = database(() => {}, { tls: { caFile: process.env["PG_CA_FILE"] } });
      await writeFile(join(fixture.folder, "tls.json"), JSON.stringify(settings));
      const running = fixture.start(["scheduler", "--config", "tls.json"]);
      await expect.poll(running.stdout, { timeout: 10_000 }).toContain("is at work");
      running.child.kill("SIGTERM");
      expect(await running.ended).toBe(0);
    });
  });

  describe.runIf(hasS3)("for S3", () => {
    it.each([
      [
        "the access key is not known",
        { accessKey: MARKER },
        /does not know accessKey.*mend s3\.accessKey \(MODELGATE_S3_ACCESS_KEY\)$/,
      ],
      ["the secret key is wrong", { secretKey: MARKER }, /secretKey does not belong.*mend s3\.secretKey/],
      [
        "there is no such bucket",
        { bucket: "no-such-bucket-here" },
        /bucket does not exist.*mend s3\.bucket/,
      ],
    ])("says that %s", async (_what, change, message) => {
      const said = await fail(bucket(change));
      expect(said).toMatch(/^S3 at 127\.0\.0\.1:\d+: /);
      expect(said).toMatch(message);
    });

    it.each([
      ["TLS is spoken to a server without", (url: URL) => url.href.replace("http:", "https:")],
      ["the host is not known", () => "http://no-such-host.invalid"],
    ])("waits, and names the address, when %s", async (_what, change) => {
      const { endpoint } = s3.settings["s3"] as { endpoint: string };
      const given = { ...bucket({ endpoint: change(new URL(endpoint)) }), startTimeoutMs: 500 };
      const said = await fail(given);
      expect(said).toMatch(/^S3 at .*look at s3\.endpoint \(MODELGATE_S3_ENDPOINT\); waited for 500 ms$/);
    });

    it.runIf(process.env["S3_CA_FILE"])("says that a certificate is not trusted", async () => {
      const endpoint = process.env["S3_TLS_ENDPOINT"];
      expect(await fail(bucket({ endpoint }))).toMatch(
        /certificate was refused .*; mend s3\.caFile \(MODELGATE_S3_CA_FILE\)$/,
      );
    });

    it("says which right is missing", async () => {
      const own = await openS3();
      try {
        const { bucket: name } = own.settings["s3"] as { bucket: string };
        for (const action of ["PutObject", "DeleteObject", "GetObject", "ListBucket"]) {
          await own.deny(action);
          const said = await fail({ objects: "s3", s3: own.settings["s3"] as object });
          expect(said).toMatch(/^S3 at 127\.0\.0\.1:\d+: (no object|objects) can/);
          expect(said).toContain(
            `give the owner of s3.accessKey (MODELGATE_S3_ACCESS_KEY) the right s3:${action} on ${name}/*`,
          );
        }
      } finally {
        await own.allow();
        await own.close();
      }
    }, 60_000);

    it("calls a name that no bucket can have a mistake of the configuration", async () => {
      expect(await fail(bucket({ bucket: "Not A Bucket" }), 2)).toMatch(
        /bucket must be .*look at s3\.bucket/,
      );
    });
  });

  it.runIf(hasPostgres && hasS3).each([
    [["migrate"], true],
    [["migrate", "--json"], true],
    [["sweep", "--json"], true],
    [["reaper", "--once", "--json"], true],
    [["doctor", "--json", "--port", "0"], true],
    [["config", "--check", "--json"], false],
  ])("tells no secret by %j either", async (args, fails) => {
    const wrong = database((url) => {
      url.password = MARKER;
    });
    const settings = { ...wrong, ...bucket({ secretKey: MARKER }), adminKey: MARKER };
    await writeFile(join(fixture.folder, "wrong.json"), JSON.stringify(settings));
    const ran = await fixture.run([...args, "--config", "wrong.json"]);
    expect(ran.stdout + ran.stderr).not.toContain(MARKER);
    expect(ran.code).toBe(fails ? 1 : 0);
    if (fails) expect(ran.stdout + ran.stderr).toContain("postgres.password (MODELGATE_POSTGRES_PASSWORD)");
  });
});
