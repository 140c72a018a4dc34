import { randomBytes } from "node:crypto";
import { Client } from "minio";
import pg from "pg";
import { requireService } from "../../../adapters-storage/test/support/services.ts";

/** Where processes of a test keep what they share. */
export interface TestStore {
  /** Settings as a configuration file has them. */
  readonly settings: Readonly<Record<string, unknown>>;
  close(): Promise<void>;
}

const postgresUrl = requireService("PG_URL");
const s3Endpoint = requireService("S3_ENDPOINT");

export const hasPostgres: boolean = postgresUrl !== undefined;
export const hasS3: boolean = s3Endpoint !== undefined;

/** Each with a way to make one. */
export const SHARED_STORES: readonly {
  readonly name: string;
  /** Whether the services that it is made of are there. */
  readonly isThere: boolean;
  readonly make: () => Promise<TestStore>;
}[] = [
  { name: "SQLite and files", isThere: true, make: async () => ({ settings: {}, close: async () => {} }) },
  { name: "PostgreSQL and S3", isThere: hasPostgres && hasS3, make: openBoth },
];

/** A schema and a bucket of their own, which go with them. */
async function openBoth(): Promise<TestStore> {
  const [postgres, s3] = await Promise.all([openPostgres(), openS3()]);
  return {
    settings: { ...postgres.settings, ...s3.settings },
    async close() {
      await Promise.all([postgres.close(), s3.close()]);
    },
  };
}

export async function openPostgres(): Promise<TestStore> {
  const schema = `roles_${randomBytes(6).toString("hex")}`;
  return {
    settings: { store: "postgres", postgres: { url: postgresUrl, schema, maxConnections: 4 } },
    async close() {
      await runSql(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    },
  };
}

/** Runs SQL as the owner of the server. */
export async function runSql(sql: string): Promise<void> {
  const client = new pg.Client(postgresUrl);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

export interface S3OfTest extends TestStore {
  /** Takes this right, such as `PutObject`, from everybody, and gives back what was taken before. */
  deny(action: string): Promise<void>;
  /** Gives all of them back. */
  allow(): Promise<void>;
  keys(): Promise<string[]>;
}

export async function openS3(): Promise<S3OfTest> {
  const bucket = `roles-${randomBytes(6).toString("hex")}`;
  const { hostname, port, protocol } = new URL(s3Endpoint ?? "");
  const accessKey = process.env["S3_ACCESS_KEY"] ?? "";
  const secretKey = process.env["S3_SECRET_KEY"] ?? "";
  const region = process.env["S3_REGION"] ?? "us-east-1";
  const client = new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: protocol === "https:",
    ...{ accessKey, secretKey, region },
  });
  await client.makeBucket(bucket, region);
  const rule = async (Effect: "Allow" | "Deny", action: string): Promise<void> => {
    const Resource = [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`];
    const Statement = [{ Effect, Principal: "*", Action: [`s3:${action}`], Resource }];
    await client.setBucketPolicy(bucket, JSON.stringify({ Version: "2012-10-17", Statement }));
  };
  const keys = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const { name } of client.listObjectsV2(bucket, "", true))
      if (name !== undefined) found.push(name);
    return found;
  };
  return {
    settings: { objects: "s3", s3: { endpoint: s3Endpoint, bucket, region, accessKey, secretKey } },
    deny: (action) => rule("Deny", action),
    // A rule that takes nothing: Ceph answers the removal of a policy with 200, which the client takes for an error.
    allow: () => rule("Allow", "GetObject"),
    keys,
    async close() {
      await client.removeObjects(bucket, await keys());
      await client.removeBucket(bucket);
    },
  };
}

/** A server of a test's own, which it takes away; its address stays. */
export interface OwnPostgres {
  readonly url: string;
  kill(): Promise<void>;
  stop(): Promise<void>;
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function startPostgres(): Promise<OwnPostgres> {
  const scripts = new URL("../../../../scripts/services/index.mjs", import.meta.url);
  const { startPostgres: start } = await import(scripts.href);
  return await start({ version: 15 });
}
