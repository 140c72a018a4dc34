import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { Client } from "minio";
import pg from "pg";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import type { CmgSource } from "../../src/command/migrate-from-cmg/cmg-source.ts";
import { type CmgMessage, toMessage } from "../../src/command/migrate-from-cmg/waiting-task.ts";

const postgresUrl = requireService("PG_URL");
const s3Endpoint = requireService("S3_ENDPOINT");

export const isThere: boolean = postgresUrl !== undefined && s3Endpoint !== undefined;

/** What a real run of CogStack's gateway left, in a database and buckets of their own. */
export interface CmgLeft {
  readonly source: CmgSource;
  readonly messages: ReadonlyMap<string, CmgMessage>;
  /** The object of a result. */
  result(name: string): Buffer;
  /** All that is in its tables and buckets, to be compared. */
  look(): Promise<string>;
  close(): Promise<void>;
}

type Objects = Readonly<Record<string, Readonly<Record<string, string | { readonly base64: string }>>>>;

export async function layOut(): Promise<CmgLeft> {
  const tag = randomBytes(5).toString("hex");
  const database = `cmg_${tag}`;
  const url = new URL(postgresUrl ?? "");
  await run(url.href, `CREATE DATABASE ${database}`);
  url.pathname = `/${database}`;
  await run(url.href, read("database.sql"));
  const { hostname, port, protocol } = new URL(s3Endpoint ?? "");
  const keys = {
    accessKey: process.env["S3_ACCESS_KEY"] ?? "",
    secretKey: process.env["S3_SECRET_KEY"] ?? "",
  };
  const client = new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: protocol === "https:",
    ...keys,
  });
  const all = JSON.parse(read("objects.json")) as Objects;
  const bucketOf = (name: string): string => `${name}-${tag}`;
  for (const [bucket, objects] of Object.entries(all)) {
    await client.makeBucket(bucketOf(bucket));
    await Promise.all(
      Object.entries(objects).map(([name, content]) =>
        client.putObject(bucketOf(bucket), name, bytesOf(content)),
      ),
    );
  }
  const names = async (bucket: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const { name, etag } of client.listObjectsV2(bucket, "", true)) found.push(`${name} ${etag}`);
    return found;
  };
  const buckets = Object.keys(all).map(bucketOf);
  return {
    source: {
      databaseUrl: url.href,
      objects: {
        ...{ endpoint: s3Endpoint ?? "", ...keys },
        ...{ tasksBucket: bucketOf("cmg-tasks"), resultsBucket: bucketOf("cmg-results") },
      },
      queue: { url: "amqp://127.0.0.1/", queue: "cmg_tasks" },
    },
    messages: new Map(
      read("queue.ndjson")
        .trim()
        .split("\n")
        .map((line) => toMessage(Buffer.from(line)) as CmgMessage)
        .map((message) => [message.uuid, message]),
    ),
    result: (name) => bytesOf(all["cmg-results"]?.[name] ?? ""),
    async look() {
      const tables = await Promise.all(
        ["task", "model", "ondemandmodelconfig", "alembic_version"].map((table) =>
          run(url.href, `SELECT to_jsonb(one) FROM ${table} AS one ORDER BY 1`),
        ),
      );
      return JSON.stringify([tables.map(({ rows }) => rows), await Promise.all(buckets.map(names))]);
    },
    async close() {
      for (const bucket of buckets) {
        await client.removeObjects(
          bucket,
          (await names(bucket)).map((line) => line.replace(/ [^ ]*$/, "")),
        );
        await client.removeBucket(bucket);
      }
      await run(postgresUrl ?? "", `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
    },
  };
}

function read(name: string): string {
  return readFileSync(new URL(`fixture/${name}`, import.meta.url), "utf8");
}

/** A long run of one letter is written as `{x*200000}`. */
function bytesOf(content: string | { readonly base64: string }): Buffer {
  if (typeof content !== "string") return Buffer.from(content.base64, "base64");
  return Buffer.from(content.replace(/\{x\*(\d+)\}/g, (_, count: string) => "x".repeat(Number(count))));
}

async function run(url: string, text: string): Promise<pg.QueryResult> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await client.query(text);
  } finally {
    await client.end();
  }
}
