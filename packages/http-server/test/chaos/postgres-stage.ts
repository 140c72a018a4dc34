import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectStore } from "@modelgate/core";
import { Client } from "minio";
import { filesystemObjectStore } from "../../../adapters-storage/src/filesystem/index.ts";
import { s3ObjectStore } from "../../../adapters-storage/src/s3/index.ts";
import { type BrokerPlace, openBroker } from "./broker-stage.ts";
import { closeAll, openLinks, type Part, through } from "./own-links.ts";
import { watchPostgres } from "./postgres-watch.ts";
import type { ServiceControl, Stage, StageOptions } from "./stage.ts";

/** A PostgreSQL server; whoever cannot take it away leaves `control` out. */
export interface PostgresPlace {
  readonly url: string;
  readonly control?: ServiceControl | undefined;
}

/** An S3 server. */
export interface S3Place {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
  readonly control?: ServiceControl | undefined;
}

export interface Places {
  readonly postgres: PostgresPlace;
  /** Without one, objects are files in a directory that all processes share. */
  readonly s3?: S3Place | undefined;
  /** Without one, the order is PostgreSQL's own. */
  readonly broker?: BrokerPlace | undefined;
}

/** PostgreSQL holds the tasks, in a schema of this run. Each process reaches each service by a link of its own. */
export async function openPostgresStage(options: StageOptions, places: Places): Promise<Stage> {
  const { folder, processes } = options;
  const dataDir = join(folder, "data");
  await mkdir(join(dataDir, "objects"), { recursive: true });
  const schema = `chaos_${randomBytes(5).toString("hex")}`;
  const tasks = await openTasks(places.postgres, schema, processes);
  const objects = places.s3 === undefined ? filesAt(dataDir) : await openBucket(places.s3, processes);
  const queue = places.broker && (await openBroker(places.broker, processes));
  const watch = watchPostgres(places.postgres.url, schema);
  const parts: readonly Part[] = [tasks, objects, ...(queue === undefined ? [] : [queue])];
  return {
    services: parts.flatMap(({ service }) => service ?? []),
    brokers: queue === undefined ? [] : [queue.broker],
    env: (process) =>
      Object.assign({ MODELGATE_DATA_DIR: dataDir }, ...parts.map((part) => part.env(process))),
    watch,
    objects: objects.store,
    async close() {
      await objects.close();
      await watch.run(`DROP SCHEMA IF EXISTS ${schema} CASCADE`).catch(() => {});
      await Promise.all([watch.close(), tasks.close(), queue?.close()]);
    },
  };
}

async function openTasks(
  { url, control }: PostgresPlace,
  schema: string,
  processes: readonly string[],
): Promise<Part> {
  const { hostname, port } = new URL(url);
  const links = await openLinks("postgres", { host: hostname, port: Number(port || 5432) }, processes);
  return {
    service: { name: "postgres", links: [...links.values()], control },
    env: (process) => ({
      MODELGATE_STORE: "postgres",
      MODELGATE_POSTGRES_URL: through(url, links.get(process)),
      MODELGATE_POSTGRES_SCHEMA: schema,
    }),
    close: async () => closeAll(links),
  };
}

function filesAt(dataDir: string): Part & { readonly store: ObjectStore } {
  const store = filesystemObjectStore({ directory: join(dataDir, "objects") });
  return { env: () => ({}), store, close: () => store.close() };
}

async function openBucket(
  place: S3Place,
  processes: readonly string[],
): Promise<Part & { readonly store: ObjectStore }> {
  const { endpoint, accessKey, secretKey, region, control } = place;
  const bucket = `chaos-${randomBytes(5).toString("hex")}`;
  const { hostname, port, protocol } = new URL(endpoint);
  const target = { host: hostname, port: Number(port || 80) };
  const client = new Client({
    ...{ endPoint: target.host, port: target.port, useSSL: protocol === "https:" },
    ...{ accessKey, secretKey, region },
  });
  await client.makeBucket(bucket, region);
  const links = await openLinks("s3", target, processes);
  const store = s3ObjectStore({ endpoint, bucket, accessKey, secretKey, region });
  return {
    service: { name: "s3", links: [...links.values()], control },
    store,
    env: (process) => ({
      MODELGATE_OBJECTS: "s3",
      MODELGATE_S3_ENDPOINT: through(endpoint, links.get(process)),
      MODELGATE_S3_BUCKET: bucket,
      MODELGATE_S3_REGION: region,
      MODELGATE_S3_ACCESS_KEY: accessKey,
      MODELGATE_S3_SECRET_KEY: secretKey,
    }),
    async close() {
      const keys: string[] = [];
      for await (const { name } of client.listObjectsV2(bucket, "", true))
        if (name !== undefined) keys.push(name);
      await client.removeObjects(bucket, keys);
      await client.removeBucket(bucket).catch(() => {});
      await store.close();
      closeAll(links);
    },
  };
}
