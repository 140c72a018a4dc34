import { randomBytes } from "node:crypto";
import { GatewayError } from "@modelgate/core";
import pg from "pg";
import { describe, onTestFinished } from "vitest";
import type { PostgresStoreOptions } from "../../src/postgres/options.ts";
import { openPostgresStore, type PostgresStore } from "../../src/postgres/store.ts";
import { requireService } from "../support/services.ts";

/** Runs the suite on each PostgreSQL that there is. */
export function onEachServer(suite: string, tests: (url: string) => void): void {
  for (const [name, variable] of Object.entries({ "PostgreSQL 15": "PG_URL", "PostgreSQL 18": "PG18_URL" })) {
    const url = requireService(variable);
    describe.skipIf(url === undefined)(`${suite} on ${name}`, () => tests(url ?? ""));
  }
}

export function unique(prefix: string): string {
  return `${prefix}_${randomBytes(6).toString("hex")}`;
}

/** Runs one text over a connection of its own. */
export async function ask(url: string, text: string, values?: unknown[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text, values)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

/** A new schema, dropped after the test. */
export function newSchema(url: string): string {
  const schema = unique("t");
  onTestFinished(async () => void (await ask(url, `DROP SCHEMA IF EXISTS ${schema} CASCADE`)));
  return schema;
}

/** A new empty database of the same server, dropped after the test. */
export async function newDatabase(url: string, options = ""): Promise<string> {
  const database = unique("d");
  await ask(url, `CREATE DATABASE ${database} ${options}`);
  onTestFinished(async () => void (await ask(url, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`)));
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

/** A new user without any right, dropped after the test; `url` as that user. */
export async function newUser(url: string, attributes = ""): Promise<{ name: string; url: string }> {
  const name = unique("u");
  await ask(url, `CREATE ROLE ${name} LOGIN PASSWORD 'secret-of-${name}' ${attributes}`);
  onTestFinished(async () => void (await ask(url, `DROP OWNED BY ${name} CASCADE; DROP ROLE ${name}`)));
  const changed = new URL(url);
  changed.username = name;
  changed.password = `secret-of-${name}`;
  return { name, url: changed.href };
}

/** A store that is closed after the test. */
export function openStore(options: PostgresStoreOptions): PostgresStore {
  const store = openPostgresStore(options, Math.random);
  onTestFinished(() => store.close());
  return store;
}

/** What a call was rejected with, which must be an error of ours. */
export async function errorOf(call: Promise<unknown>): Promise<GatewayError> {
  const error = await call.then(
    () => new Error("it resolved"),
    (reason: unknown) => reason,
  );
  if (!GatewayError.is(error)) throw error;
  return error;
}

/** The same of calls that are made together. */
export function errorsOf(...calls: readonly Promise<unknown>[]): Promise<GatewayError[]> {
  return Promise.all(calls.map(errorOf));
}
