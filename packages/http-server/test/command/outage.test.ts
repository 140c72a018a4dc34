import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call } from "../support/http-client.ts";
import { openRelay, type Relay } from "./relay.ts";
import { openRoles, type RoleProcesses, type Started } from "./role-processes.ts";
import {
  hasPostgres,
  hasS3,
  type OwnPostgres,
  openPostgres,
  openS3,
  startPostgres,
  type TestStore,
} from "./test-stores.ts";

/** A store whose services can be taken away. */
interface FragileStore {
  readonly store: TestStore;
  readonly postgres: Relay;
  readonly s3: Relay;
}

async function openFragile(): Promise<FragileStore> {
  const [ledger, objects] = await Promise.all([openPostgres(), openS3()]);
  const { url, ...postgresRest } = ledger.settings["postgres"] as { url: string };
  const { endpoint, ...s3Rest } = objects.settings["s3"] as { endpoint: string };
  const [postgres, s3] = await Promise.all([openRelay(url), openRelay(endpoint)]);
  const settings = {
    ...{ store: "postgres", objects: "s3" },
    postgres: { ...postgresRest, url: postgres.address(url) },
    s3: { ...s3Rest, endpoint: s3.address(endpoint).replace(/\/$/, "") },
  };
  const close = async (): Promise<void> => {
    await Promise.all([postgres.down(), s3.down(), ledger.close(), objects.close()]);
  };
  return { store: { settings, close }, postgres, s3 };
}

describe.runIf(hasPostgres && hasS3)("a service that goes away", () => {
  let fragile: FragileStore;
  let roles: RoleProcesses;

  beforeAll(async () => {
    fragile = await openFragile();
    roles = await openRoles(fragile.store);
  }, 60_000);
  afterAll(() => roles?.close());

  const submit = (url: string, body: string, headers: Record<string, string> = {}) =>
    call(url, "/models/nlp/tasks/process", {
      method: "POST",
      headers: { "content-type": "text/plain", ...headers },
      body,
    });

  it("before the start is waited for by every role, and a line says what for", async () => {
    const roleNames = ["serve", "gateway", "scheduler", "reaper"];
    const starting = roleNames.map((role) => roles.start(role));
    const waiting = () =>
      roles.output().match(/ warn waiting: PostgreSQL at 127\.0\.0\.1:\d+: nothing answers/g)?.length;
    await expect.poll(waiting, { timeout: 10_000 }).toBe(4);
    await fragile.postgres.up();
    const waitingForS3 = () => new Set(roles.output().match(/waiting: S3 at .* role=\w+/g)).size;
    await expect.poll(waitingForS3, { timeout: 10_000 }).toBeGreaterThanOrEqual(4);
    await fragile.s3.up();
    const started = await Promise.all(starting);
    expect(
      roles.output().match(/every store answers now role=(serve|gateway|scheduler|reaper)/g),
    ).toHaveLength(4);
    for (const { running } of started) running.child.kill("SIGTERM");
    expect(await Promise.all(started.map(({ running }) => running.ended))).toEqual([0, 0, 0, 0]);
  }, 60_000);

  it("for longer than is waited ends the start with 1 and one line", async () => {
    await fragile.postgres.down();
    const beganMs = performance.now();
    const { code, stdout, stderr } = await roles.run(["scheduler", "--start-timeout-ms", "1500"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(performance.now() - beganMs).toBeGreaterThan(1_500);
    expect(stderr.trim().split("\n").at(-1)).toMatch(
      / error PostgreSQL at 127\.0\.0\.1:\d+: nothing answers at the address of PostgreSQL; .*; look at postgres\.url \(MODELGATE_POSTGRES_URL\); waited for 1500 ms role=scheduler$/,
    );
  });

  it("does not keep a start from being stopped", async () => {
    const starting = roles.start("gateway").catch(() => undefined);
    await expect
      .poll(() => roles.output().match(/waiting: PostgreSQL .*role=gateway/g)?.length ?? 0, {
        timeout: 10_000,
      })
      .toBeGreaterThan(1);
    const { child, ended } = roles.last();
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    await starting;
  });

  it("while they run ends no process: submits are refused, or wait where that is wished", async () => {
    await Promise.all([fragile.postgres.up(), fragile.s3.up()]);
    const [plain, patient, scheduler, reaper] = (await Promise.all([
      roles.start("gateway"),
      roles.start("gateway", "--store-wait-ms", "30000"),
      roles.start("scheduler", "--port", "0"),
      roles.start("reaper"),
    ])) as [Started, Started, Started, Started];
    const before = await submit(plain.url, "hang over it");
    expect(before.status).toBe(200);
    await expect.poll(() => roles.model.waiting().length, { timeout: 10_000 }).toBe(1);

    await fragile.postgres.down();
    const refused = await submit(plain.url, "now");
    expect(refused.status).toBe(503);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    expect(refused.json.code).toBe("STORE_UNAVAILABLE");
    expect((await call(plain.url, "/health")).status).toBe(503);
    expect((await call(scheduler.url, "/healthz")).status).toBe(503);
    const waiting = submit(patient.url, "in time", { prefer: "wait=60" });
    // Long enough for whatever would end a process, shorter than the lease of what runs is not needed.
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    await fragile.postgres.up();
    expect((await waiting).json).toEqual({ text: "in time" });
    roles.model.answerAll();
    await expect
      .poll(async () => (await call(plain.url, `/tasks/${before.json.uuid}`)).json.status, {
        timeout: 30_000,
      })
      .toBe("succeeded");

    await fragile.s3.down();
    const large = await submit(plain.url, "x".repeat(100_000));
    expect(large.status).toBe(503);
    expect(Number(large.headers["retry-after"])).toBeGreaterThan(0);
    // What fits into the database needs no object store.
    expect((await submit(plain.url, "small", { prefer: "wait=20" })).json).toEqual({ text: "small" });
    await fragile.s3.up();
    await expect
      .poll(async () => (await submit(plain.url, "y".repeat(100_000), { prefer: "wait=20" })).status, {
        timeout: 30_000,
      })
      .toBe(200);
    for (const { running } of [plain, patient, scheduler, reaper]) expect(running.child.exitCode).toBeNull();
  }, 120_000);
});

describe.runIf(hasPostgres)("a PostgreSQL that is killed, and one that is shut down", () => {
  let server: OwnPostgres;
  let roles: RoleProcesses;

  beforeAll(async () => {
    server = await startPostgres();
    const settings = { store: "postgres", postgres: { url: server.url, maxConnections: 4 } };
    roles = await openRoles({ settings, close: () => server.close() });
  }, 60_000);
  afterAll(async () => {
    await (roles ?? server)?.close();
  });

  it("take no process with them, and no task", async () => {
    const [gateway, ...others] = await Promise.all([
      roles.start("gateway"),
      roles.start("scheduler"),
      roles.start("scheduler"),
      roles.start("reaper"),
    ]);
    const submit = (body: string) =>
      call(gateway.url, "/models/nlp/tasks/process", {
        method: "POST",
        headers: { "content-type": "text/plain" },
        body,
      });
    const ids: string[] = [];
    for (const end of ["kill", "stop"] as const) {
      roles.model.waitAgain();
      for (const text of ["hang over it", "hang longer", "be quick"])
        ids.push((await submit(`${text} ${end}`)).json.uuid);
      await expect.poll(() => roles.model.waiting().length, { timeout: 10_000 }).toBe(2);
      await server[end]();
      const refused = await submit("while it is away");
      expect({ status: refused.status, code: refused.json.code }).toEqual({
        status: 503,
        code: "STORE_UNAVAILABLE",
      });
      expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
      // Longer than a lease: what ran is looked for again once the server is back.
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      await server.restart();
      roles.model.answerAll();
      await expect
        .poll(
          async () => {
            const states = ids.map(async (id) => (await call(gateway.url, `/tasks/${id}`)).json.status);
            return await Promise.all(states);
          },
          { timeout: 30_000 },
        )
        .toEqual(ids.map(() => "succeeded"));
    }
    for (const { running } of [gateway, ...others]) expect(running.child.exitCode).toBeNull();
    expect((await call(gateway.url, "/health")).status).toBe(200);
  }, 120_000);
});
