// What does the S3 object store cost beside the client that it is built on? A body of unknown length goes up and comes
// back, by the store and by the bare minio client with parts of the same size, against the same real server. The client
// has one part on its way at a time, so the store is held against it with as many, and with its own choice.
//
// node bench/transfer/s3.mjs [--mib 2048] [--pairs 3] [--server ceph|minio] [--part-mib 8] [--concurrency 2]
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { forkNode } from "../lib/children.mjs";
import { peakMib, resetPeak, residentMib } from "../lib/memory.mjs";
import { MISSED, report } from "../lib/ratios.mjs";

const { values } = parseArgs({
  options: {
    mib: { type: "string", default: "2048" },
    pairs: { type: "string", default: "3" },
    server: { type: "string", default: "ceph" },
    "part-mib": { type: "string", default: "8" },
    concurrency: { type: "string", default: "2" },
  },
});
const MOST_MIB = 96;
const BUCKET = "bench";
const [mib, pairs, partMib, concurrency] = [
  values.mib,
  values.pairs,
  values["part-mib"],
  values.concurrency,
].map(Number);
const storage = new URL("../../packages/adapters-storage/", import.meta.url);
const folder = new URL("node_modules/.cache/bench-s3/", storage);

async function bundleSide() {
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL("package.json", folder), '{"type":"module"}');
  const file = fileURLToPath(new URL("s3-side.js", folder));
  await build({
    entryPoints: [fileURLToPath(new URL("s3-side.mjs", import.meta.url))],
    outfile: file,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["@modelgate/source"],
    external: ["minio"],
    logLevel: "warning",
  });
  return file;
}

/** A server, and what makes it free the room of what was deleted: Ceph would do so hours later. */
async function startServer() {
  if (values.server === "minio") {
    const { startMinio } = await import("../../scripts/services/minio.mjs");
    return { server: await startMinio(), free: () => sleep(1000) };
  }
  const { startCeph } = await import("../../scripts/services/ceph.mjs");
  const { runTool } = await import("../../scripts/services/daemon.mjs");
  const server = await startCeph();
  const args = ["-c", join(server.directory, "ceph.conf"), "gc", "process", "--include-all"];
  return { server, free: () => runTool("radosgw-admin", args, { cwd: server.directory }) };
}

async function startSide(file, server, { kind, parts }) {
  const { endpoint, accessKey, secretKey } = server;
  const partSizeBytes = partMib * 1024 * 1024;
  const options = { endpoint, accessKey, secretKey, bucket: BUCKET, partSizeBytes, uploadConcurrency: parts };
  const side = forkNode(file, [kind], { env: { BENCH_S3: JSON.stringify(options) } });
  const ask = async (what, size) => {
    side.send({ what, mib: size });
    return await side.next();
  };
  // Code is loaded and connections are there from here on. So little goes in one piece: parts are no idle memory.
  for (const what of ["up", "down", "remove"]) await ask(what, 1);
  return { ask, pid: side.pid, idleMib: residentMib(side.pid), kill: side.kill };
}

/** Puts, gets and removes in a process of its own. Resolves how fast it went, in MiB/s, and how high its memory rose. */
async function measure(file, server, side) {
  // A new one each time: how often the allocator gives memory back is a matter of luck that stays with a process.
  const { ask, pid, idleMib, kill } = await startSide(file, server, side);
  try {
    const found = { idleMib };
    resetPeak(pid);
    for (const what of ["up", "down"]) {
      const { ms, cpuMs } = await ask(what, mib);
      const [took, used] = [ms, cpuMs].map((each) => (each / 1000).toFixed(1));
      console.log(`  ${side.name} ${what}: ${took} s, ${used} s of processor time`);
      found[what] = mib / (ms / 1000);
    }
    found.overIdleMib = peakMib(pid) - idleMib;
    await ask("remove");
    return found;
  } finally {
    kill();
  }
}

const { server, free } = await startServer();
let isMet = true;
try {
  const { Client } = await import(createRequire(new URL("package.json", storage)).resolve("minio"));
  const { hostname, port } = new URL(server.endpoint);
  const { accessKey, secretKey } = server;
  const address = { endPoint: hostname, port: Number(port), useSSL: false };
  await new Client({ ...address, accessKey, secretKey }).makeBucket(BUCKET);
  const file = await bundleSide();
  const base = { name: "minio", kind: "minio", parts: 1 };
  const own = [...new Set([1, concurrency])].map((parts) => {
    return { name: `store with ${parts}`, kind: "store", parts };
  });
  const sides = [base, ...own];
  const found = new Map(sides.map((side) => [side, []]));
  for (let pair = 0; pair < pairs; pair += 1) {
    // Whoever went first goes last in the next round.
    for (const side of pair % 2 === 0 ? sides : sides.toReversed()) {
      found.get(side).push(await measure(file, server, side));
      await free();
    }
  }
  for (const side of own) {
    for (const what of ["up", "down"]) {
      const both = found.get(side).map((run, at) => [found.get(base)[at][what], run[what]]);
      const name = `${mib} MiB ${what} on ${values.server}, ${side.name}`;
      isMet = report({ name, unit: "MiB/s", base: "minio", own: side.name, pairs: both, bar: 0.8 }) && isMet;
    }
  }
  for (const side of sides) {
    const most = Math.max(...found.get(side).map(({ overIdleMib }) => overIdleMib));
    const isSmall = side === base || most <= MOST_MIB;
    const verdict = side === base ? "" : ` (bar ${MOST_MIB}) ${isSmall ? "met" : "NOT MET"}`;
    console.log(`${side.name}: peak ${most.toFixed(0)} MiB over idle${verdict}`);
    isMet &&= isSmall;
  }
} finally {
  await server.close();
}
process.exitCode = isMet ? 0 : MISSED;
