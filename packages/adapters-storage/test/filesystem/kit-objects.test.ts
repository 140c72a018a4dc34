import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteStream, ObjectStore } from "@modelgate/core";
import { describeKit, type ObjectStoreFixture, objectStoreKit, runKitTest } from "@modelgate/core/testing";
import { describe, expect, it } from "vitest";
import { filesystemObjectStore } from "../../src/filesystem/index.ts";
import { canMount, smallDisk } from "../mounts.ts";
import { exitCodeOf, objectsElsewhere } from "./kit-process.ts";

const mayMount = canMount();

async function open(): Promise<ObjectStoreFixture> {
  // What a sync costs is the disk's affair; that there is one is shown elsewhere.
  const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const directory = await mkdtemp(join(place, "modelgate-kit-"));
  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(store: T): T => {
    opened.push(store);
    return store;
  };
  const objects = keep(filesystemObjectStore({ directory }));
  return {
    objects,
    another: async () => keep(await objectsElsewhere(directory)),
    async reopen() {
      await objects.close();
      return keep(filesystemObjectStore({ directory }));
    },
    ...(mayMount ? { small: async () => keep(filesystemObjectStore({ directory: smallDisk("8m") })) } : {}),
    ...(existsSync("/proc/self/fd") ? { held: () => openFilesBelow(directory) } : {}),
    processThatCloses: () => exitCodeOf("objects", directory),
    async close() {
      for (const store of opened) await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Files of the directory that this process has open. */
function openFilesBelow(directory: string): number {
  return readdirSync("/proc/self/fd").filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).startsWith(directory);
    } catch {
      return false;
    }
  }).length;
}

describeKit({ describe, it }, objectStoreKit, "filesystem", open);

it("the kit finds a store that holds a whole body before it writes it", { timeout: 60_000 }, async () => {
  const hoarding = async (): Promise<ObjectStoreFixture> => {
    const { small: _, ...fixture } = await open();
    const { objects } = fixture;
    const put: ObjectStore["put"] = async (key, body, options) => {
      return await objects.put(key, hoarded(body), options);
    };
    return { ...fixture, objects: { ...objects, put } };
  };
  const failed: string[] = [];
  for (const test of objectStoreKit.tests) {
    await runKitTest(test, hoarding).catch(() => failed.push(test.name));
  }
  expect(failed).toEqual(["put holds a part of a large body at a time, never all of it"]);
});

/** The same pieces, after all of them have come. It lets go of its source as the source's own reader would. */
function hoarded(body: ByteStream): ByteStream {
  const source = body[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  let isComplete = false;
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        while (!isComplete) {
          const { done, value } = await source.next();
          if (done === true) isComplete = true;
          else pieces.push(value.slice());
        }
        const value = pieces.shift();
        return value === undefined ? { done: true, value } : { done: false, value };
      },
      return: async () => (await source.return?.()) ?? { done: true, value: undefined },
    }),
  };
}
