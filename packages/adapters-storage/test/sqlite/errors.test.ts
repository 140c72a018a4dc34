import { execFileSync } from "node:child_process";
import { getEventListeners } from "node:events";
import { chmod, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GatewayError, type SubmitOutcome } from "@modelgate/core";
import { describe, expect, it } from "vitest";
import { openDriver } from "../../src/sqlite/driver.ts";
import { SCHEMA_VERSION } from "../../src/sqlite/schema.ts";
import { canMount, setReadOnly, smallDisk } from "../mounts.ts";
import { newDirectory, newTask, openStore } from "./store-fixture.ts";

async function errorOf(call: Promise<unknown>): Promise<GatewayError> {
  const error = await call.then(
    () => new Error("it resolved"),
    (reason: unknown) => reason,
  );
  if (!GatewayError.is(error)) throw error;
  return error;
}

describe("a directory that the store cannot use", () => {
  it("is left untouched when a newer version wrote it", async () => {
    const first = await openStore();
    await first.store.ledger.submit([newTask("t1")]);
    await first.store.close();
    const file = join(first.directory, "modelgate.db");
    const db = openDriver(file);
    db.exec("PRAGMA user_version = 99");
    db.close();
    const before = await readFile(file);
    const { store } = await openStore({ directory: first.directory });
    const error = await errorOf(store.ledger.stats());
    expect([error.code, error.details]).toEqual(["STORE_TOO_NEW", { found: 99, known: SCHEMA_VERSION }]);
    expect(error.message).toMatch(/99.*up to \d+/);
    expect((await errorOf(store.ledger.submit([newTask("t2")]))).code).toBe("STORE_TOO_NEW");
    await store.close();
    expect(await readFile(file)).toEqual(before);
  });

  it("is reported when its file is damaged or of something else", async () => {
    const directory = await newDirectory();
    const file = join(directory, "modelgate.db");
    await writeFile(
      file,
      "this is a text and no database, and it is longer than a header of one hundred bytes".repeat(20),
    );
    const { store } = await openStore({ directory });
    const error = await errorOf(store.ledger.submit([newTask("t1")]));
    expect(error.code).toBe("STORE_UNAVAILABLE");
    expect(error.message).toMatch(/restore it from a copy/);
    expect(error.cause).toBeInstanceOf(Error);

    await rm(file);
    const foreign = openDriver(file);
    foreign.exec("CREATE TABLE recipes (name TEXT)");
    foreign.close();
    expect((await errorOf(store.ledger.stats())).message).toMatch(/something else/);

    // Once the reason is gone, the same store works.
    await rm(file);
    expect((await store.ledger.stats()).lanes).toEqual([]);
  });

  it("makes its files readable by their owner only", async () => {
    const directory = join(await newDirectory(), "new");
    const { store } = await openStore({ directory });
    await store.ledger.submit([newTask("t1")]);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    for (const name of ["modelgate.db", "modelgate.db-wal", "modelgate.db-shm"]) {
      expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
    }
  });

  it.runIf(process.getuid?.() !== 0)("is reported when it may not be written by this user", async () => {
    const directory = await newDirectory();
    await chmod(directory, 0o500);
    const { store } = await openStore({ directory });
    expect((await errorOf(store.ledger.stats())).code).toBe("STORE_READ_ONLY");
  });
});

describe.runIf(canMount())("a disk", () => {
  it("that is read-only is reported, and works again when it is not", async () => {
    const directory = smallDisk("4m");
    setReadOnly(directory, true);
    const { store } = await openStore({ directory });
    expect((await errorOf(store.ledger.submit([newTask("t1")]))).code).toBe("STORE_READ_ONLY");
    setReadOnly(directory, false);
    expect((await store.ledger.submit([newTask("t1")]))[0]?.outcome).toBe("accepted");
    await store.close();
    setReadOnly(directory, true);
    const again = await openStore({ directory });
    expect((await errorOf(again.store.ledger.submit([newTask("t2")]))).code).toBe("STORE_READ_ONLY");
    await again.store.close();
  });

  it("that is full refuses, keeps what was accepted, and goes on when there is room", async () => {
    const directory = smallDisk("2m");
    const { store } = await openStore({ directory });
    const inline = new Uint8Array(20_000).fill(97);
    const accepted: string[] = [];
    let error: GatewayError | undefined;
    for (let last = 1; error === undefined && last < 500; last += 1) {
      const task = newTask(`t${last}`, { payload: { sizeBytes: inline.length, inline } });
      const outcome: SubmitOutcome | GatewayError | undefined = await store.ledger.submit([task]).then(
        ([first]) => first,
        (reason: GatewayError) => reason,
      );
      if (outcome instanceof Error) error = outcome;
      else if (outcome?.outcome === "accepted") accepted.push(task.id);
    }
    expect(error?.code).toBe("STORE_FULL");
    expect(accepted.length).toBeGreaterThan(10);
    expect((await store.ledger.get(accepted)).every((task) => task?.state === "pending")).toBe(true);

    execFileSync("mount", ["-o", "remount,size=8m", directory]);
    expect((await store.ledger.submit([newTask("later")]))[0]?.outcome).toBe("accepted");
    await store.close();
    const again = await openStore({ directory });
    const found = await again.store.ledger.get([...accepted, "later"], { bodies: "payload" });
    expect(found.map((task) => task?.payload.inline?.length)).toEqual([
      ...accepted.map(() => inline.length),
      5,
    ]);
    await again.store.close();
  });
});

describe("a store that was closed", () => {
  it("finishes what was called before and rejects what comes after", async () => {
    const { store, directory } = await openStore();
    const calls = Array.from({ length: 50 }, (_, index) => store.ledger.submit([newTask(`t${index}`)]));
    await Promise.all([store.close(), store.close()]);
    expect((await Promise.all(calls)).flat().every(({ outcome }) => outcome === "accepted")).toBe(true);
    for (const call of [
      store.ledger.stats(),
      store.ledger.submit([]),
      store.records.get("a"),
      store.ledger.list(),
    ]) {
      expect((await errorOf(call)).code).toBe("CLOSED");
    }
    // Everything was written back, and nobody is registered any more.
    const db = openDriver(join(directory, "modelgate.db"));
    expect(db.sql("SELECT count(*) FROM processes").get([])).toEqual([0]);
    expect(db.sql("SELECT count(*) FROM tasks").get([])).toEqual([50]);
    db.close();
  });

  it("closes when both its parts were closed", async () => {
    const { store, client } = await openStore();
    await store.ledger.submit([newTask("t1")]);
    await store.ledger.close();
    await store.records.put("a", 1, null);
    expect((await errorOf(store.ledger.stats())).code).toBe("CLOSED");
    await store.records.close();
    expect(client.worker).toBeUndefined();
  });

  it("was never opened when nothing was called", async () => {
    const directory = join(await newDirectory(), "never");
    const { store } = await openStore({ directory });
    await store.close();
    await expect(stat(directory)).rejects.toThrow(/ENOENT/);
  });
});

describe("a signal", () => {
  it("stops the wait with its own reason and leaves no listener", async () => {
    const { store } = await openStore();
    const controller = new AbortController();
    const reason = new Error("enough");
    const call = store.ledger.submit([newTask("t1")], { signal: controller.signal });
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    await expect(store.ledger.stats({ signal: controller.signal })).rejects.toBe(reason);
    const quiet = new AbortController();
    await store.ledger.submit([newTask("t2")], { signal: quiet.signal });
    expect(getEventListeners(quiet.signal, "abort")).toEqual([]);
  });
});
