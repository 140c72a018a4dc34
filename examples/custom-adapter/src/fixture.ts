import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ObjectStore } from "@modelgate/core";
import type { ObjectStoreFixture } from "@modelgate/core/testing";
import { journalObjectStore } from "./journal-object-store.ts";

/** A store of its own for each test, in a directory that goes with it. */
export async function openFixture(): Promise<ObjectStoreFixture> {
  const directory = await mkdtemp(join(tmpdir(), "journal-objects-"));
  const opened: ObjectStore[] = [];
  const open = (): ObjectStore => {
    const store = journalObjectStore({ directory });
    opened.push(store);
    return store;
  };
  const objects = open();
  return {
    objects,
    async reopen() {
      await objects.close();
      return open();
    },
    async close() {
      for (const store of opened) await store.close();
      await rm(directory, { recursive: true });
    },
  };
}
