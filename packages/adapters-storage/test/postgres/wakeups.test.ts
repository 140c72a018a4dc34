import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { resolveOptions } from "../../src/postgres/options.ts";
import { PostgresPool } from "../../src/postgres/pool.ts";
import { PostgresWakeups } from "../../src/postgres/wakeups.ts";
import { tcpProxy } from "../support/tcp-proxy.ts";
import { startChild } from "./children.ts";
import { ask, newSchema, onEachServer, openStore, unique } from "./servers.ts";

const SOON = { timeout: 10_000, interval: 20 };

/** Pids of the connections of one application. */
async function connectionsOf(url: string, applicationName: string): Promise<number[]> {
  const rows = await ask(url, "SELECT pid FROM pg_stat_activity WHERE application_name = $1", [
    applicationName,
  ]);
  return rows.map(({ pid }) => pid as number);
}

/** What arrives on a schema's channel, as the server delivers it. */
async function payloadsOf(url: string, schema: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  onTestFinished(() => client.end());
  const payloads: string[] = [];
  client.on("notification", ({ payload }) => payloads.push(payload ?? ""));
  await client.query(`LISTEN modelgate_${schema}`);
  return payloads;
}

onEachServer("wake-ups", (url) => {
  it("of one burst are one notification, and of a steady stream few", async () => {
    const schema = newSchema(url);
    const { wakeups } = openStore({ url, schema });
    const payloads = await payloadsOf(url, schema);
    await wakeups.publish("work", ["first"]);
    await vi.waitFor(() => expect(payloads).toHaveLength(1), SOON);
    payloads.length = 0;
    await Promise.all(
      Array.from({ length: 1000 }, (_, index) => wakeups.publish("work", [`m${index % 10}`])),
    );
    await vi.waitFor(() => expect(payloads).toHaveLength(1), SOON);
    expect(JSON.parse(payloads[0]?.slice(1) ?? "")).toHaveLength(10);

    payloads.length = 0;
    const begun = performance.now();
    const pending: Promise<void>[] = [];
    for (let count = 0; count < 300; count += 1) {
      pending.push(wakeups.publish("ended", [`t${count}`]));
      await sleep(1);
    }
    await Promise.all(pending);
    const most = (performance.now() - begun) / 5 + 2;
    await vi.waitFor(() => {
      const names = payloads.flatMap((payload) => JSON.parse(payload.slice(1)) as string[]);
      expect(names).toEqual(Array.from({ length: 300 }, (_, index) => `t${index}`));
    }, SOON);
    expect(payloads.length).toBeLessThanOrEqual(most);
  });

  it("reach nobody of another schema", async () => {
    const [ours, others] = [newSchema(url), newSchema(url)];
    const heard: string[][] = [[], []];
    const stores = [ours, others].map((schema) => openStore({ url, schema }));
    stores.forEach(
      ({ wakeups }, index) => void wakeups.subscribe("work", (names) => heard[index]?.push(...names)),
    );
    await vi.waitFor(async () => {
      await Promise.all(stores.map(({ wakeups }, index) => wakeups.publish("work", [`${index}`])));
      expect(heard.every((names) => names.length > 0)).toBe(true);
    }, SOON);
    await sleep(50);
    expect(heard.map((names) => [...new Set(names)])).toEqual([["0"], ["1"]]);
  });

  it("take one connection for all who subscribe, from the first one to the close", async () => {
    const applicationName = unique("listener");
    const store = openStore({ url, schema: newSchema(url), applicationName });
    expect(await connectionsOf(url, applicationName)).toHaveLength(0);
    for (let count = 0; count < 20; count += 1)
      store.wakeups.subscribe(count % 2 ? "work" : "ended", () => {});
    await vi.waitFor(async () => expect(await connectionsOf(url, applicationName)).toHaveLength(1), SOON);
    await sleep(100);
    expect(await connectionsOf(url, applicationName)).toHaveLength(1);
    await store.wakeups.close();
    await vi.waitFor(async () => expect(await connectionsOf(url, applicationName)).toHaveLength(0), SOON);
  });

  it("pass over what others send on the channel", async () => {
    const schema = newSchema(url);
    const { wakeups } = openStore({ url, schema });
    const heard: unknown[] = [];
    wakeups.subscribe("work", (names) => heard.push(...names));
    wakeups.subscribe("ended", (names) => heard.push(...names));
    await vi.waitFor(async () => {
      for (const payload of ["", "nonsense", 'w{"a":1}', "w[1]", 'e["half'])
        await ask(url, "SELECT pg_notify($1, $2)", [`modelgate_${schema}`, payload]);
      await wakeups.publish("work", ["ours"]);
      expect(heard).toContain("ours");
    }, SOON);
    expect(new Set(heard)).toEqual(new Set(["ours"]));
  });

  it("are heard again after the server ended the connection, and whoever waits for work or deployments is told at once", async () => {
    const applicationName = unique("listener");
    const schema = newSchema(url);
    const publisher = openStore({ url, schema });
    const subscriber = openStore({ url, schema, applicationName });
    const hints: (readonly string[])[] = [];
    subscriber.wakeups.subscribe("work", (names) => hints.push(names));
    const deployments: (readonly string[])[] = [];
    subscriber.wakeups.subscribe("deployments", (names) => deployments.push(names));
    for (let round = 0; round < 3; round += 1) {
      await vi.waitFor(async () => {
        await publisher.wakeups.publish("work", [`round ${round}`]);
        expect(hints.flat()).toContain(`round ${round}`);
      }, SOON);
      await sleep(50);
      hints.length = 0;
      deployments.length = 0;
      for (const pid of await connectionsOf(url, applicationName))
        await ask(url, "SELECT pg_terminate_backend($1)", [pid]);
      // Nobody publishes: this is the one that says that some may have been missed.
      await vi.waitFor(() => expect([hints, deployments]).toEqual([[[]], [[]]]), SOON);
    }
  });

  it("begin when the server can be reached, however late", async () => {
    const proxy = await tcpProxy(url);
    onTestFinished(() => proxy.close());
    proxy.mode = "refuse";
    const schema = newSchema(url);
    const publisher = openStore({ url, schema });
    const { wakeups } = openStore({ url: proxy.through(url), schema });
    const heard: string[] = [];
    wakeups.subscribe("ended", (names) => heard.push(...names));
    await expect(wakeups.publish("ended", ["lost"])).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await sleep(300);
    proxy.mode = "pass";
    await vi.waitFor(async () => {
      await publisher.wakeups.publish("ended", ["heard"]);
      expect(heard).toContain("heard");
    }, SOON);
    await wakeups.publish("ended", ["works"]);
  });

  it("notice a connection that the network has forgotten", async () => {
    const proxy = await tcpProxy(url);
    onTestFinished(() => proxy.close());
    const schema = newSchema(url);
    const publisher = openStore({ url, schema });
    const pool = new PostgresPool(resolveOptions({ url: proxy.through(url), schema, connectTimeoutMs: 500 }));
    const wakeups = new PostgresWakeups(pool, {
      ready: async () => {},
      onClose: () => pool.close(),
      probeMs: 600,
    });
    onTestFinished(() => wakeups.close());
    const heard: string[] = [];
    wakeups.subscribe("work", (names) => heard.push(...names));
    const hears = (name: string): Promise<void> =>
      vi.waitFor(async () => {
        await publisher.wakeups.publish("work", [name]);
        expect(heard).toContain(name);
      }, SOON);
    await hears("before");
    proxy.mode = "forget";
    await publisher.wakeups.publish("work", ["meanwhile"]);
    await sleep(900);
    proxy.mode = "pass";
    await hears("after");
    expect(heard).not.toContain("meanwhile");
    expect(proxy.open).toBe(1);
  });

  it("close at once, also while nothing answers", async () => {
    const proxy = await tcpProxy(url);
    onTestFinished(() => proxy.close());
    const schema = newSchema(url);
    openStore({ url, schema });
    const listening = openStore({ url: proxy.through(url), schema });
    const connecting = openStore({ url: proxy.through(url), schema, connectTimeoutMs: 60_000 });
    listening.wakeups.subscribe("work", () => {});
    await vi.waitFor(() => expect(proxy.open).toBe(1), SOON);
    proxy.mode = "forget";
    connecting.wakeups.subscribe("work", () => {});
    await vi.waitFor(() => expect(proxy.open).toBe(2), SOON);
    const begun = performance.now();
    await Promise.all([listening.wakeups.close(), connecting.wakeups.close()]);
    expect(performance.now() - begun).toBeLessThan(3_000);
  });

  it("reach every process", async () => {
    const schema = newSchema(url);
    const { wakeups } = openStore({ url, schema });
    const children = await Promise.all([1, 2, 3].map(() => startChild(url, schema, "hear")));
    await vi.waitFor(async () => {
      await wakeups.publish("ended", ["task"]);
      expect(children.every(({ lines }) => lines.includes("task"))).toBe(true);
    }, SOON);
    for (const child of children) child.process.stdin?.end();
    expect(await Promise.all(children.map(({ exited }) => exited))).toEqual([0, 0, 0]);
  });

  it("keep no process alive", async () => {
    const child = await startChild(url, newSchema(url), "leave");
    expect(await child.exited).toBe(0);
    expect(child.lines).toEqual(["heard"]);
  });

  describe("over a pool that was handed in", () => {
    it("take one of its connections while somebody may subscribe, and leave it as it was", async () => {
      const applicationName = unique("handed");
      const client = new pg.Pool({ connectionString: url, max: 3, application_name: applicationName });
      onTestFinished(() => client.end());
      const schema = newSchema(url);
      const store = openStore({ client, schema });
      const heard: string[] = [];
      store.wakeups.subscribe("work", (names) => heard.push(...names));
      await vi.waitFor(async () => {
        await store.wakeups.publish("work", ["m"]);
        expect(heard).toContain("m");
      }, SOON);
      await store.close();
      const all = await Promise.all(
        [1, 2, 3].map(() => client.query("SELECT count(*) FROM pg_listening_channels()")),
      );
      expect(all.map(({ rows }) => rows[0].count)).toEqual(["0", "0", "0"]);
      expect(client.waitingCount).toBe(0);
    });

    it("do not take the only one", async () => {
      const client = new pg.Pool({ connectionString: url, max: 1 });
      onTestFinished(() => client.end());
      const store = openStore({ client, schema: newSchema(url) });
      store.wakeups.subscribe("work", () => {});
      await sleep(50);
      await store.wakeups.publish("work", ["m"]);
      expect((await store.records.put("k", 1, null))?.value).toBe(1);
    });
  });
});
