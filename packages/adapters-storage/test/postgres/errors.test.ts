import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { inspect } from "node:util";
import pg from "pg";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { migratePostgres, type PostgresStoreOptions } from "../../src/postgres/index.ts";
import { newTask } from "../sqlite/store-fixture.ts";
import { requireService } from "../support/services.ts";
import { type OwnServer, ownServer } from "./own-server.ts";
import {
  ask,
  errorOf,
  errorsOf,
  newDatabase,
  newSchema,
  newUser,
  onEachServer,
  openStore,
} from "./servers.ts";

const SECRET = "marker-of-a-secret";

interface Expected {
  readonly code?: string;
  readonly field?: string;
  readonly says: RegExp;
}

/** Every part of a store, and the migration, fail alike, name what to mend, and say no secret. */
async function expectRefused(
  options: PostgresStoreOptions,
  { code = "STORE_UNAVAILABLE", field, says }: Expected,
): Promise<void> {
  const { ledger, records, wakeups } = openStore({ connectTimeoutMs: 3_000, ...options });
  const errors = await errorsOf(
    ledger.stats(),
    ledger.submit([newTask("t1")]),
    records.get("k"),
    wakeups.publish("work", ["m"]),
    migratePostgres({ connectTimeoutMs: 3_000, ...options }),
  );
  for (const error of errors) {
    expect([error.code, error.details["field"]]).toEqual([code, field]);
    expect(error.message).toMatch(says);
    const all = [
      error.message,
      error.stack,
      JSON.stringify(error),
      inspect(error, { depth: 9, showHidden: true }),
    ];
    expect(all.join("\n")).not.toContain(SECRET);
    expect(all.join("\n")).not.toContain("postgres://");
  }
}

function changed(url: string, change: (url: URL) => void): string {
  const parsed = new URL(url);
  change(parsed);
  return parsed.href;
}

async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

onEachServer("who cannot get in", (url) => {
  const refused: Expected = {
    field: "password",
    says: /refused the user or the password; check url and password/,
  };

  it("with a wrong password, or none, is told which options say it", async () => {
    const schema = newSchema(url);
    await expectRefused(
      { schema, url: changed(url, (to) => Object.assign(to, { password: SECRET })) },
      refused,
    );
    const without = changed(url, (to) => Object.assign(to, { password: "" }));
    await expectRefused({ schema, url: without, password: SECRET }, refused);
    await expectRefused({ schema, url: without, password: async () => SECRET }, refused);
    await expectRefused(
      { schema, url: without },
      { field: "password", says: /asks for a password and none is given/ },
    );
  });

  it("whose password cannot be got is told so", async () => {
    const without = changed(url, (to) => Object.assign(to, { password: "" }));
    const password = async (): Promise<string> => {
      throw new Error(`no vault at ${SECRET}`);
    };
    await expectRefused(
      { url: without, password },
      { field: "password", says: /function that is given as password failed/ },
    );
  });

  it("leaves no connection behind on which the server waits for a password", async () => {
    const without = changed(url, (to) => Object.assign(to, { password: "" }));
    const password = (): Promise<string> => Promise.reject(new Error(SECRET));
    const sockets = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
    const before = sockets();
    for (const options of [{ url: without }, { url: without, password }]) {
      const { ledger, wakeups } = openStore(options);
      wakeups.subscribe("work", () => {});
      for (let count = 0; count < 5; count += 1) await errorOf(ledger.stats());
      await wakeups.close();
    }
    await expect.poll(sockets).toBeLessThanOrEqual(before);
  });

  it("gets in with a password that is asked for at each connection", async () => {
    const user = await newUser(url);
    const schema = newSchema(url);
    await ask(url, `CREATE SCHEMA ${schema} AUTHORIZATION ${user.name}`);
    let current = "out of date";
    const without = changed(user.url, (to) => Object.assign(to, { password: "" }));
    const { ledger } = openStore({ url: without, schema, password: () => current });
    expect((await errorOf(ledger.stats())).details["field"]).toBe("password");
    current = decodeURIComponent(new URL(user.url).password);
    expect((await ledger.stats()).scheduled).toBe(0);
  });

  it("as a role that is not there, or that may not log in, is told so", async () => {
    await expectRefused(
      { url: changed(url, (to) => Object.assign(to, { username: "nobody_at_all", password: SECRET })) },
      refused,
    );
    const { name, url: own } = await newUser(url);
    await ask(url, `ALTER ROLE ${name} NOLOGIN`);
    await expectRefused({ url: own }, { field: "url", says: /does not let this user in/ });
  });

  it("into a database that is not there is told so", async () => {
    await expectRefused(
      { url: changed(url, (to) => Object.assign(to, { pathname: "/there_is_none" })) },
      { field: "url", says: /database does not exist; create it, or name another in url/ },
    );
  });

  it("into a database that takes no writes is told so", async () => {
    const database = await newDatabase(url);
    const name = new URL(database).pathname.slice(1);
    await ask(url, `ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    await expectRefused({ url: database }, { code: "STORE_READ_ONLY", says: /takes no writes/ });
  });

  it("because all connections are taken is told which options say how many", async () => {
    const user = await newUser(url, "CONNECTION LIMIT 1");
    const client = new pg.Client({ connectionString: user.url });
    await client.connect();
    onTestFinished(() => client.end());
    await expectRefused({ url: user.url }, { field: "maxConnections", says: /no connection left/ });
  });

  it("to a server that is too old is told by the version that it says", async () => {
    const database = await newDatabase(url);
    const name = new URL(database).pathname.slice(1);
    // Before the server's own function, one that says what PostgreSQL 13 would say.
    await ask(
      database,
      `CREATE SCHEMA old; CREATE FUNCTION old.current_setting(text) RETURNS text LANGUAGE sql AS 'SELECT ''130012''';
      ALTER DATABASE ${name} SET search_path = old, pg_catalog`,
    );
    const says = /PostgreSQL 13 is too old; 14 or newer is needed/;
    await expectRefused({ url: database }, { code: "UNSUPPORTED", field: "url", says });
    await expectRefused({ url: database, migrate: false }, { code: "UNSUPPORTED", field: "url", says });
  });
});

onEachServer("a failure", (url) => {
  it("that quotes what was to be written is told without it", async () => {
    const schema = newSchema(url);
    const { ledger, records } = openStore({ url, schema });
    await records.get("k");
    const raise = `RAISE EXCEPTION 'no %', NEW USING DETAIL = 'row ' || NEW::text, HINT = NEW::text`;
    await ask(
      url,
      `CREATE FUNCTION ${schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${raise}; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON ${schema}.records FOR EACH ROW EXECUTE FUNCTION ${schema}.refuse();
      CREATE TRIGGER refuse BEFORE INSERT ON ${schema}.live FOR EACH ROW EXECUTE FUNCTION ${schema}.refuse();
      ALTER TABLE ${schema}.payloads ADD CHECK (length(bytes) < 3)`,
    );
    const errors = await errorsOf(records.put("k", SECRET, null), ledger.submit([newTask(SECRET)]));
    expect(errors.map(({ code }) => code)).toEqual(["ADAPTER_FAILED", "ADAPTER_FAILED"]);
    await ask(url, `DROP TRIGGER refuse ON ${schema}.live`);
    const inline = new TextEncoder().encode(SECRET);
    const [outcome] = await ledger.submit([newTask("t1", { payload: { sizeBytes: inline.length, inline } })]);
    expect(outcome?.outcome).toBe("refused");
    const said = inspect([errors, outcome], { depth: 9, showHidden: true });
    expect(said).not.toContain(SECRET);
    expect(said).not.toContain(Buffer.from(inline).toString("hex"));
  });
});

describe("an address", () => {
  it("where nobody listens is told from a host that nobody knows", async () => {
    const url = `postgres://someone:${SECRET}@127.0.0.1:${await unusedPort()}/x`;
    await expectRefused({ url }, { field: "url", says: /nothing answers at the address .*check url/ });
    await expectRefused(
      { url: `postgres://someone:${SECRET}@host.invalid/x` },
      { field: "url", says: /host of PostgreSQL is not known; check url/ },
    );
  });

  it("where somebody listens and says nothing, or something else, is given up in time", async () => {
    for (const greeting of [undefined, "HTTP/1.1 400 Bad Request\r\n\r\n"]) {
      const server = createServer((socket) => {
        socket.on("error", () => {});
        if (greeting !== undefined) socket.end(greeting);
      }).listen(0, "127.0.0.1");
      await new Promise((resolve) => server.once("listening", resolve));
      onTestFinished(() => void server.close());
      const { port } = server.address() as { port: number };
      const begun = performance.now();
      const { ledger } = openStore({
        url: `postgres://someone:${SECRET}@127.0.0.1:${port}/x`,
        connectTimeoutMs: 300,
      });
      const error = await errorOf(ledger.stats());
      expect([error.code, error.retryable]).toEqual(["STORE_UNAVAILABLE", true]);
      expect(inspect(error, { depth: 9 })).not.toContain(SECRET);
      expect(performance.now() - begun).toBeLessThan(3_000);
    }
  });

  const none = [
    "http://x",
    "127.0.0.1:5432",
    "postgres:/x",
    "",
    `postgres://u:${SECRET}@[x/y`,
    "postgres://u:p@h:port/",
  ];

  it.each([...none, "postgres://h/d?sslrootcert=/there/is/none"])("must look like one: %j", (url) => {
    expect(() => openStore({ url })).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS", details: { field: "url" } }),
    );
  });
});

const needed = requireService("PG18_URL");

describe.skipIf(needed === undefined)("TLS", () => {
  let server: OwnServer;
  let ca: string;
  /** Without TLS nobody but the superuser gets in. */
  let plainRefused: string;

  beforeAll(async () => {
    server = await ownServer({ version: 18 });
    ca = readFileSync(join(server.directory, "tls.crt"), "utf8");
    const rules = `local all all trust\nhost all postgres all scram-sha-256\nhostssl all all all scram-sha-256\n`;
    writeFileSync(join(server.directory, "data/pg_hba.conf"), rules);
    await ask(server.url, `SELECT pg_reload_conf(); CREATE ROLE guest LOGIN PASSWORD '${SECRET}'`);
    await ask(server.url, "CREATE SCHEMA modelgate AUTHORIZATION guest");
    plainRefused = changed(server.url, (to) => Object.assign(to, { username: "guest", password: SECRET }));
    return () => server.close();
  });

  const untrusted: Expected = { field: "tls", says: /certificate of PostgreSQL is not trusted; set tls.ca/ };

  it("is what a server may ask for, and without it nobody gets in", async () => {
    for (const options of [{}, { tls: false }]) {
      const says = /does not let this user in.* check url and tls/;
      await expectRefused({ url: plainRefused, ...options }, { field: "url", says });
    }
  });

  it("works with the right authority, or without looking at the certificate, and is really used", async () => {
    for (const tls of [{ ca }, { ca, serverName: "localhost" }, { verify: false }]) {
      const { ledger, wakeups } = openStore({ url: plainRefused, tls, applicationName: "over_tls" });
      await ledger.stats();
      wakeups.subscribe("work", () => {});
      const text = `SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'over_tls'`;
      // One of the pool at least, and the one that listens.
      await expect.poll(async () => (await ask(server.url, text)).length).toBeGreaterThan(1);
      expect(new Set((await ask(server.url, text)).map(({ ssl }) => ssl))).toEqual(new Set([true]));
      await Promise.all([wakeups.close(), ledger.close()]);
    }
  });

  it("trusts no certificate that nobody vouches for, by another authority, or of another name", async () => {
    await expectRefused({ url: plainRefused, tls: true }, untrusted);
    await expectRefused({ url: plainRefused, tls: {} }, untrusted);
    const other = await ownServer({ version: 18 });
    onTestFinished(() => other.close());
    const wrong = readFileSync(join(other.directory, "tls.crt"), "utf8");
    await expectRefused({ url: plainRefused, tls: { ca: wrong } }, untrusted);
    await expectRefused({ url: plainRefused, tls: { ca, serverName: "another.example" } }, untrusted);
    await expectRefused(
      { url: plainRefused, tls: { ca: `not PEM ${SECRET}` } },
      { ...untrusted, says: /tls/ },
    );
  });

  it("is not done without by a client that asks for it", async () => {
    const plain = await ownServer({ version: 18, settings: { ssl: "off" } });
    onTestFinished(() => plain.close());
    for (const tls of [true, { verify: false }, { ca }]) {
      await expectRefused({ url: plain.url, tls }, { field: "tls", says: /offers no TLS; set tls to false/ });
    }
  });

  it("shows our own certificate to a server that asks for one", async () => {
    const strict = await ownServer({ version: 18 });
    onTestFinished(() => strict.close());
    const read = (name: string): string => readFileSync(join(strict.directory, name), "utf8");
    // Its own certificate vouches for itself, and names a user, too.
    const [ca, key] = [read("tls.crt"), read("tls.key")];
    writeFileSync(join(strict.directory, "data/root.crt"), ca);
    const rules = "local all all trust\nhostssl all localhost all cert\nhost all all all scram-sha-256\n";
    writeFileSync(join(strict.directory, "data/pg_hba.conf"), rules);
    await ask(strict.url, "CREATE ROLE localhost LOGIN");
    await ask(strict.url, "CREATE SCHEMA modelgate AUTHORIZATION localhost");
    await ask(strict.url, "ALTER SYSTEM SET ssl_ca_file = 'root.crt'");
    await ask(strict.url, "SELECT pg_reload_conf()");
    const url = changed(strict.url, (to) => Object.assign(to, { username: "localhost", password: "" }));
    const { ledger } = openStore({ url, tls: { ca, cert: ca, key } });
    await expect.poll(() => ledger.stats().then(({ scheduled }) => scheduled, String)).toBe(0);
    await expectRefused({ url, tls: { ca } }, { field: "url", says: /check url and tls/ });
  });
});
