import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeKit, type RecordStoreFixture, recordStoreKit } from "@modelgate/core/testing";
import { describe, it } from "vitest";
import { sqliteStore } from "../../src/sqlite/index.ts";
import { exitCodeOf, recordsElsewhere } from "../filesystem/kit-process.ts";

async function open(): Promise<RecordStoreFixture> {
  const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const directory = await mkdtemp(join(place, "modelgate-kit-"));
  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(store: T): T => {
    opened.push(store);
    return store;
  };
  const store = keep(sqliteStore({ directory }));
  return {
    records: store.records,
    another: async () => keep(await recordsElsewhere(directory)),
    async reopen() {
      await store.close();
      return keep(sqliteStore({ directory })).records;
    },
    // The ledger of the same file is not the records' to close.
    async handedIn() {
      assert.deepEqual((await store.ledger.stats()).lanes, []);
    },
    processThatCloses: () => exitCodeOf("records", directory),
    async close() {
      for (const each of opened) await each.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

describeKit({ describe, it }, recordStoreKit, "SQLite", open);
