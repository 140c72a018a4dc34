import { mkdtemp, realpath, rm } from "node:fs/promises";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import type { ByteStream } from "@modelgate/core";
import { expect, it, onTestFinished } from "vitest";
import { filesystemObjectStore } from "../../src/filesystem/index.ts";

type Files = typeof import("node:fs/promises");

/** What is renamed, removed and synced below a folder from now on, in order. */
function watchFiles(folder: string): string[] {
  const files = createRequire(import.meta.url)("node:fs/promises") as Files;
  const { open, rename, unlink } = files;
  const told: string[] = [];
  const named = (path: string): string =>
    relative(folder, path).replace(/unfinished\/.*/, "unfinished/…") || ".";
  const changed: Pick<Files, "open" | "rename" | "unlink"> = {
    async open(path, ...rest) {
      const handle = await open(path, ...rest);
      const sync = handle.sync.bind(handle);
      handle.sync = async () => {
        await sync();
        told.push(`sync ${named(String(path))}`);
      };
      return handle;
    },
    async rename(from, to) {
      await rename(from, to);
      told.push(`rename ${named(String(from))} to ${named(String(to))}`);
    },
    async unlink(path) {
      await unlink(path);
      told.push(`unlink ${named(String(path))}`);
    },
  };
  Object.assign(files, changed);
  syncBuiltinESMExports();
  onTestFinished(() => {
    Object.assign(files, { open, rename, unlink });
    syncBuiltinESMExports();
  });
  return told;
}

async function* streamOf(text: string): ByteStream {
  yield new TextEncoder().encode(text);
}

it("a put is synced before and after its rename, with every folder that may be new", async () => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "modelgate-sync-")));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const told = watchFiles(folder);
  const store = filesystemObjectStore({ directory: join(folder, "made/by/us") });
  await store.list("");
  const us = "made/by/us";
  expect(told.splice(0)).toEqual([`sync ${us}/objects`, `sync ${us}`, "sync made/by", "sync made", "sync ."]);
  await store.put("a/b/k", streamOf("x"));
  expect(told.splice(0)).toEqual([
    `sync ${us}/unfinished/…`,
    `rename ${us}/unfinished/… to ${us}/objects/a/b/k~`,
    `sync ${us}/objects/a/b`,
    `sync ${us}/objects/a`,
    `sync ${us}/objects`,
  ]);
  await store.put("a/l", streamOf("x"));
  told.splice(0);
  await store.delete(["a/b/k"]);
  expect(told.splice(0)).toEqual([
    `unlink ${us}/objects/a/b/k~`,
    `sync ${us}/objects/a`,
    `sync ${us}/objects`,
  ]);
});
