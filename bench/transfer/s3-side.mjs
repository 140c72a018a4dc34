// One side of the S3 bench, in a process of its own: `store`, or `minio`, the bare client. It puts, gets and removes one
// object when it is told to. Both sides take their pieces as a socket gives them: 64 KiB, each with memory of its own.
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { s3ObjectStore } from "../../packages/adapters-storage/src/s3/index.ts";

const MIB = 1024 * 1024;
const PIECE_BYTES = 65_536;
const [kind] = process.argv.slice(2);
const options = JSON.parse(process.env.BENCH_S3);
const key = `object-${process.pid}`;

async function* body(mib) {
  for (let left = mib * MIB; left > 0; left -= PIECE_BYTES) yield Buffer.alloc(PIECE_BYTES, left);
}

async function count(pieces) {
  let sizeBytes = 0;
  for await (const piece of pieces) sizeBytes += piece.byteLength;
  return sizeBytes;
}

function store() {
  const objects = s3ObjectStore(options);
  return {
    up: (mib) => objects.put(key, body(mib)),
    down: async () => await count((await objects.get(key)).body),
    remove: () => objects.delete([key]),
  };
}

async function minio() {
  const { Client } = await import(createRequire(import.meta.url).resolve("minio"));
  const { endpoint, bucket, accessKey, secretKey, partSizeBytes } = options;
  const { hostname, port } = new URL(endpoint);
  const client = new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    accessKey,
    secretKey,
    region: "us-east-1",
    // Unless it is given, a body whose size is not told goes in parts of half a gigabyte.
    partSize: partSizeBytes,
  });
  return {
    up: (mib) => client.putObject(bucket, key, Readable.from(body(mib), { objectMode: false })),
    down: async () => await count(await client.getObject(bucket, key)),
    remove: () => client.removeObject(bucket, key),
  };
}

const side = kind === "store" ? store() : await minio();

process.on("message", async ({ what, mib }) => {
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  const result = await side[what](mib);
  const ms = performance.now() - startedMs;
  if (what === "down" && result !== mib * MIB) throw new Error(`read ${result} bytes of ${mib} MiB`);
  const { user, system } = process.cpuUsage(cpu);
  process.send({ ms, cpuMs: (user + system) / 1000 });
});
