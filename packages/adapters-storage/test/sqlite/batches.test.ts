import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GatewayError } from "@modelgate/core";
import { describe, expect, it } from "vitest";
import { openDriver } from "../../src/sqlite/driver.ts";
import { exchangeOf, freeze, newDirectory, newTask, openStore, want } from "./store-fixture.ts";

describe("a batch", () => {
  it("loses only the item that SQLite refuses", async () => {
    const { store, directory } = await openStore();
    await store.ledger.stats();
    const db = openDriver(join(directory, "modelgate.db"));
    db.exec(
      "CREATE TRIGGER poison BEFORE INSERT ON tasks WHEN NEW.id LIKE 'bad%' BEGIN SELECT RAISE(ABORT, 'too large'); END",
    );
    db.exec(
      "CREATE TRIGGER poison_2 BEFORE INSERT ON results WHEN length(NEW.bytes) = 3 BEGIN SELECT RAISE(ABORT, 'too large'); END",
    );
    db.close();
    const [first, second] = await Promise.all([
      store.ledger.submit([newTask("a"), newTask("bad1"), newTask("b\0"), newTask("b")]),
      store.ledger.submit([newTask("c"), newTask("a", { owner: "other" })]),
      store.records.put("k", 1, null),
    ]);
    const outcomes = [first, second].map((batch) => batch.map(({ outcome }) => outcome));
    expect(outcomes).toEqual([
      ["accepted", "refused", "refused", "accepted"],
      ["accepted", "refused"],
    ]);
    expect((await store.ledger.stats()).lanes).toMatchObject([{ model: "m", waiting: 3, waitingBytes: 15 }]);
    expect((await store.records.get("k"))?.value).toBe(1);

    const { grants } = await store.ledger.exchange(exchangeOf(1, { want: [want("s")] }));
    expect(grants.map(({ task }) => task.id)).toEqual(["a", "b", "c"]);
    const settle = grants.map(({ task, attempt }, index) => {
      const inline = new Uint8Array(index === 1 ? 3 : 4);
      return {
        id: task.id,
        attempt,
        kind: "succeeded",
        releaseHold: false,
        result: { sizeBytes: inline.length, inline },
      } as const;
    });
    const nul = { id: "b", attempt: 1, kind: "sent", server: "s\0" } as const;
    const reply = await store.ledger.exchange(exchangeOf(2, { settle: [...settle, nul] }));
    expect(reply.settled.map(({ outcome }) => outcome)).toEqual([
      "accepted",
      "refused",
      "accepted",
      "refused",
    ]);
    const after = await store.ledger.get(["a", "b", "c"]);
    expect(after.map((task) => task?.state)).toEqual(["succeeded", "scheduled", "succeeded"]);
  });

  it("keeps a stale exchange from touching the others", async () => {
    const { store } = await openStore();
    await store.ledger.exchange(exchangeOf(5));
    const [stale, fresh] = await Promise.allSettled([
      store.ledger.exchange(exchangeOf(4)),
      store.ledger.submit([newTask("a")]),
    ]);
    expect(stale.status === "rejected" && GatewayError.is(stale.reason, "STALE_RUNNER")).toBe(true);
    expect(fresh.status).toBe("fulfilled");
  });

  it("leaves the caller's buffers alone, pooled ones too", async () => {
    const { store } = await openStore();
    const inline = Buffer.from("pooled by Node");
    expect(inline.buffer.byteLength).toBeGreaterThan(inline.length);
    await store.ledger.submit([newTask("a", { payload: { sizeBytes: inline.length, inline } })]);
    expect(inline.toString()).toBe("pooled by Node");
    const [task] = await store.ledger.get(["a"], { bodies: "payload" });
    expect(Buffer.from(task?.payload.inline ?? []).toString()).toBe("pooled by Node");
    expect(task?.payload.inline?.buffer.byteLength).toBe(inline.length);
    // A body that is kept keeps only itself, not all that came with it.
    await store.ledger.submit([newTask("b")]);
    const both = await store.ledger.get(["a", "b"], { bodies: "payload" });
    expect(both.map((each) => each?.payload.inline?.buffer.byteLength)).toEqual([inline.length, 5]);
  });
});

describe("many lanes", () => {
  it("are granted in the order of their ranks, however many others lie before them", {
    timeout: 60_000,
  }, async () => {
    const { store, client } = await openStore();
    await freeze(client, 1_700_000_000_000);
    // 3,000 lanes of others come first; of 100 wanted ones those with a higher priority.
    const others = Array.from({ length: 3000 }, (_, lane) =>
      newTask(`o${lane}`, { model: `other-${lane}`, priority: 9 }),
    );
    const wanted = Array.from({ length: 300 }, (_, index) => {
      return newTask(`w${String(index).padStart(3, "0")}`, {
        model: `wanted-${index % 100}`,
        priority: index % 3,
      });
    });
    await store.ledger.submit([...others, ...wanted]);
    const models = Array.from({ length: 100 }, (_, lane) => `wanted-${lane}`);
    const expected = [...wanted]
      .sort((a, b) => b.priority - a.priority || (a.id < b.id ? -1 : 1))
      .map(({ id }) => id);
    const granted: string[] = [];
    for (let sequence = 1; granted.length < 300; sequence += 1) {
      const servers = [
        want("s", { limit: 1000, max: 7, models: [...models] }),
        want("t", { limit: 1000, max: 3, models: ["nothing"] }),
      ];
      const { grants } = await store.ledger.exchange(exchangeOf(sequence, { want: servers }));
      expect(grants).toHaveLength(Math.min(7, 300 - granted.length));
      granted.push(...grants.map(({ task }) => task.id));
    }
    expect(granted).toEqual(expected);
  });
});

describe("lists of models", () => {
  it("reach the worker that asks for them, also after a failure and after a new worker", async () => {
    const directory = await newDirectory();
    const file = join(directory, "modelgate.db");
    await writeFile(file, "no database ".repeat(100));
    const { store, client } = await openStore({ directory });
    const models = Array.from({ length: 100 }, (_, lane) => `m${lane}`);
    let sequence = 0;
    const grantOne = async (): Promise<string[]> => {
      sequence += 1;
      const reply = await store.ledger.exchange(
        exchangeOf(sequence, { want: [want("s", { models, limit: 100, max: 1 })] }),
      );
      return reply.grants.map(({ task }) => task.id);
    };
    await expect(grantOne()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await rm(file);
    await store.ledger.submit(["a", "b", "c", "d"].map((id, lane) => newTask(id, { model: `m${lane}` })));
    expect(await grantOne()).toEqual(["a"]);
    await expect(client.call(() => ({ op: "fail", how: "throw" }))).rejects.toThrow(/ended before/);
    expect(await grantOne()).toEqual(["b"]);
    models.reverse();
    expect(await grantOne()).toEqual(["c"]);
    models.fill("m50");
    expect(await grantOne()).toEqual([]);
  });
});

describe("numbers without an end", () => {
  it("mean for ever and without a limit, not at once and none", async () => {
    const { store } = await openStore();
    const waitMs = Number.POSITIVE_INFINITY;
    await store.ledger.submit([newTask("a", { waitMs })]);
    const { grants } = await store.ledger.exchange(
      exchangeOf(1, { want: [want("s", { limit: waitMs, max: waitMs })], leaseMs: waitMs }),
    );
    expect(grants).toHaveLength(1);
    await store.ledger.exchange(
      exchangeOf(2, { settle: [{ id: "a", attempt: 1, kind: "cancelled", releaseHold: false }] }),
    );
    const retention = { payloadMs: waitMs, resultMs: waitMs, rowMs: waitMs };
    expect((await store.ledger.sweep({ limit: waitMs, unserved: [], retention })).more).toBe(false);
    expect((await store.ledger.get(["a"], { bodies: "payload" }))[0]?.payload.inline).toHaveLength(5);
  });
});

describe("retention", () => {
  it("removes the text from the files too", async () => {
    const { store, client, directory } = await openStore();
    await freeze(client, 1_700_000_000_000);
    const secret = `secret-${"x".repeat(40)}-text`;
    const inline = new TextEncoder().encode(secret);
    await store.ledger.submit([newTask("a", { payload: { sizeBytes: inline.length, inline } })]);
    const found = async (): Promise<boolean> => {
      const files = await Promise.all(
        ["modelgate.db", "modelgate.db-wal"].map((name) => readFile(join(directory, name))),
      );
      return files.some((file) => file.includes(secret));
    };
    expect(await found()).toBe(true);
    await store.ledger.amend([{ kind: "cancel", id: "a" }]);
    await freeze(client, 1_700_000_100_000);
    await store.ledger.sweep({
      limit: 10,
      unserved: [],
      retention: { payloadMs: 1, resultMs: 1, rowMs: 1e9 },
    });
    expect(await found()).toBe(false);
    expect((await store.ledger.get(["a"], { bodies: "payload" }))[0]?.payload).toMatchObject({
      isForgotten: true,
    });
  });
});

describe("a listing", () => {
  it("walks far without a match and lets others go before it", { timeout: 60_000 }, async () => {
    const { store } = await openStore();
    for (let batch = 0; batch < 3; batch += 1) {
      await store.ledger.submit(
        Array.from({ length: 5000 }, (_, index) =>
          newTask(`t${batch}-${index}`, { owner: index === 7 ? "anna" : "" }),
        ),
      );
    }
    const page = await store.ledger.list({ filter: { owner: "anna" }, limit: 2 });
    expect(page.items.map(({ id }) => id)).toEqual(["t2-7", "t1-7"]);
    const rest = await store.ledger.list({ filter: { owner: "anna" }, limit: 2, cursor: page.nextCursor });
    expect([rest.items.map(({ id }) => id), rest.nextCursor]).toEqual([["t0-7"], undefined]);
    await expect(store.ledger.list({ limit: 0 })).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(store.ledger.list({ cursor: "nonsense" })).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
  });
});

describe("a close", () => {
  it("answers the listings that are half way", { timeout: 60_000 }, async () => {
    const { store } = await openStore();
    for (let batch = 0; batch < 6; batch += 1) {
      await store.ledger.submit(Array.from({ length: 5000 }, (_, index) => newTask(`t${batch}-${index}`)));
    }
    const listing = store.ledger.list({ filter: { owner: "anna" } });
    // The listing is on its way in a message of its own.
    await new Promise(setImmediate);
    await store.close();
    expect((await listing).items).toEqual([]);
  });
});

describe("records", () => {
  it("are written by compare-and-set and listed by key", async () => {
    const { store } = await openStore();
    const { records } = store;
    const first = await records.put("a/1", { x: "\0 \ud800" }, null);
    expect(first?.value).toEqual({ x: "\0 \ud800" });
    expect((await records.get("a/1"))?.value).toEqual({ x: "\0 \ud800" });
    expect(await records.put("a/1", 2, null)).toBeUndefined();
    expect(await records.put("a/1", 2, "other")).toBeUndefined();
    const second = await records.put("a/1", 2, first?.version ?? null);
    expect(second?.version).not.toBe(first?.version);
    expect(await records.delete("a/1", first?.version ?? "")).toBe(false);
    for (let index = 0; index < 250; index += 1)
      await records.put(`b/${String(index).padStart(3, "0")}`, index, null);
    const keys: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await records.list("b/", cursor);
      keys.push(...page.items.map(({ key }) => key));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(keys).toEqual(Array.from({ length: 250 }, (_, index) => `b/${String(index).padStart(3, "0")}`));
    await expect(records.put("big", "x".repeat(256 * 1024), null)).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
    expect(await records.delete("a/1", second?.version ?? "")).toBe(true);
    const races = await Promise.all(
      Array.from({ length: 20 }, (_, index) => records.put("race", index, null)),
    );
    expect(races.filter((record) => record !== undefined)).toHaveLength(1);
  });
});
