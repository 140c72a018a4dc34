import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { bundled } from "./kit-process.ts";
import { FaultyProxy } from "./proxy.ts";
import { type Bucket, makeBucket, s3Servers } from "./servers.ts";

const run = promisify(execFile);
const MOST_MIB = 96;

describe.runIf(existsSync("/proc/self/clear_refs")).each(s3Servers())(
  "the memory of a process at $name",
  (server) => {
    let bucket: Bucket;
    beforeAll(async () => {
      bucket = await makeBucket(server);
    });
    afterAll(async () => await bucket?.remove());

    it("does not grow with the body that it stores and reads", { timeout: 120_000 }, async () => {
      const file = await bundled(new URL("./memory-child.ts", import.meta.url));
      const proxy = await FaultyProxy.start(server.endpoint);
      onTestFinished(() => proxy.close());
      // A source that is faster than the server: what is not held back piles up.
      proxy.onRequest = (line) => sleep(line.includes("partNumber=") ? 150 : 0);
      const options = bucket.options({ endpoint: proxy.endpoint });
      const { stdout } = await run(process.execPath, [file, JSON.stringify(options), "200"]);
      const { idleMib, peakMib } = JSON.parse(stdout) as { idleMib: number; peakMib: number };
      console.info(`${server.name}: ${Math.round(peakMib - idleMib)} MiB over idle`);
      expect(peakMib - idleMib).toBeLessThan(MOST_MIB);
    });
  },
);
