import { randomBytes } from "node:crypto";
import { Socket } from "node:net";
import { Client } from "minio";
import type { S3ObjectStoreOptions } from "../../src/s3/index.ts";
import { requireService } from "../support/services.ts";

/** A real server, and keys that may do everything. */
export interface S3Server {
  readonly name: string;
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** A bucket of a test file's own. */
export interface Bucket {
  readonly server: S3Server;
  readonly name: string;
  readonly admin: Client;
  /** For a store with all in a prefix of its own, unless one is given. */
  options(more?: Partial<S3ObjectStoreOptions>): S3ObjectStoreOptions;
  /** Names of all objects. */
  names(): Promise<string[]>;
  /** Uploads that were begun and not ended. */
  uploads(): Promise<string[]>;
  remove(): Promise<void>;
}

const env = process.env;

/** Ceph's gateway, and MinIO where it is started. */
export function s3Servers(): readonly S3Server[] {
  const found: S3Server[] = [];
  for (const [name, variable] of [
    ["ceph", "S3"],
    ["minio", "MINIO"],
  ] as const) {
    const endpoint = requireService(`${variable}_ENDPOINT`);
    if (endpoint === undefined) continue;
    found.push({
      name,
      endpoint,
      accessKey: env[`${variable}_ACCESS_KEY`] ?? "",
      secretKey: env[`${variable}_SECRET_KEY`] ?? "",
    });
  }
  return found;
}

let lastPrefix = 0;

export async function makeBucket(server: S3Server): Promise<Bucket> {
  const name = `test-${randomBytes(6).toString("hex")}`;
  const admin = adminOf(server);
  await admin.makeBucket(name);
  const names = async (): Promise<string[]> => {
    const listed: string[] = [];
    for await (const item of admin.listObjectsV2(name, "", true))
      listed.push((item as { name: string }).name);
    return listed;
  };
  const uploads = async (): Promise<string[]> => {
    const { uploads: found } = (await admin.listIncompleteUploadsQuery(name, "", "", "", "")) as {
      uploads: { key: string; uploadId: string }[];
    };
    return found.map(({ key }) => key);
  };
  return {
    server,
    name,
    admin,
    options(more = {}) {
      lastPrefix += 1;
      const { endpoint, accessKey, secretKey } = server;
      return { endpoint, accessKey, secretKey, bucket: name, prefix: `test-${lastPrefix}`, ...more };
    },
    names,
    uploads,
    async remove() {
      const left = (await admin.listIncompleteUploadsQuery(name, "", "", "", "")) as {
        uploads: { key: string; uploadId: string }[];
      };
      for (const { key, uploadId } of left.uploads) await admin.abortMultipartUpload(name, key, uploadId);
      await admin.removeObjects(name, await names());
      await admin.removeBucket(name);
    },
  };
}

/** The bare client. */
function adminOf({ endpoint, accessKey, secretKey }: S3Server): Client {
  const { hostname, port } = new URL(endpoint);
  return new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    accessKey,
    secretKey,
    region: "us-east-1",
  });
}

/** Connections of this process to that port that keep it alive; those that wait for use in a pool do not. */
export function connectionsTo(endpoint: string): number {
  const port = Number(new URL(endpoint).port);
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
  return handles.filter((handle) => handle instanceof Socket && handle.remotePort === port).length;
}
