import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { ByteStream } from "@modelgate/core";
import { s3ObjectStore } from "../../src/s3/index.ts";

// Puts a body of so many MiB and reads it back, and prints how far its memory rose above what it had idle:
// node memory-child.js OPTIONS MIB

const MIB = 1024 * 1024;
const [options = "", mib = "0"] = process.argv.slice(2);
const store = s3ObjectStore(JSON.parse(options));

function statusMib(field: string): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync("/proc/self/status", "utf8"));
  return Number(found?.[1]) / 1024;
}

/** As sockets give them: 64 KiB, each with memory of its own. */
async function* body(sizeMib: number): ByteStream {
  for (let at = 0; at < sizeMib * 16; at += 1) {
    yield Buffer.alloc(65_536, at);
    if (at % 16 === 0) await sleep(0);
  }
}

async function use(sizeMib: number): Promise<void> {
  await store.put("k", body(sizeMib));
  let sizeBytes = 0;
  for await (const piece of (await store.get("k"))?.body ?? []) sizeBytes += piece.byteLength;
  if (sizeBytes !== sizeMib * MIB) throw new Error(`read ${sizeBytes} bytes of ${sizeMib} MiB`);
  await store.delete(["k"]);
}

// Code is compiled and connections are there from here on.
await use(1);
const idleMib = statusMib("VmRSS");
writeFileSync("/proc/self/clear_refs", "5");
await use(Number(mib));
console.log(JSON.stringify({ idleMib, peakMib: statusMib("VmHWM") }));
await store.close();
