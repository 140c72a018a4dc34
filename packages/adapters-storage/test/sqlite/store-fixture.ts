import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExchangeRequest, NewTask, ServerWant } from "@modelgate/core";
import { afterEach } from "vitest";
import { openSqliteStore, type SqliteStoreOptions } from "../../src/sqlite/sqlite-store.ts";
import type { StoreClient } from "../../src/sqlite/store-client.ts";

const opened: { close(): Promise<void> }[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** A directory that is removed after the test; in memory where that is enough and there is such a place. */
export async function newDirectory(isInMemory = false): Promise<string> {
  const folder = await mkdtemp(
    join(isInMemory && existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "modelgate-test-"),
  );
  folders.push(folder);
  return folder;
}

/** A store that is closed after the test, in a new directory unless one is given. */
export async function openStore(
  options: Partial<SqliteStoreOptions> = {},
): Promise<ReturnType<typeof openSqliteStore> & { directory: string }> {
  const directory = options.directory ?? (await newDirectory());
  const found = openSqliteStore({ ...options, directory });
  opened.push(found.store);
  return { ...found, directory };
}

/** Stops the store's clock at an instant. */
export async function freeze(client: StoreClient, nowMs: number, random = 0.5): Promise<void> {
  await client.call(() => ({ op: "freeze", nowMs, random }));
}

export function newTask(id: string, fields: Partial<NewTask> = {}): NewTask {
  return {
    id,
    model: "m",
    operation: "process",
    owner: "",
    query: "",
    repeatable: true,
    background: false,
    maxFailures: 5,
    priority: 5,
    boostMs: 3_600_000,
    waitMs: 86_400_000,
    payload: { sizeBytes: 5, contentType: "text/plain", inline: new TextEncoder().encode("hello") },
    ...fields,
  };
}

export function want(server: string, fields: Partial<ServerWant> = {}): ServerWant {
  return { server, limit: 4, max: 4, models: ["m"], background: false, cost: 1, ...fields };
}

export function exchangeOf(sequence: number, fields: Partial<ExchangeRequest> = {}): ExchangeRequest {
  return {
    runner: "r",
    incarnation: "1",
    sequence,
    acknowledged: sequence - 1,
    leaseMs: 10_000,
    settle: [],
    renew: [],
    want: [],
    recover: 0,
    release: [],
    ...fields,
  };
}
