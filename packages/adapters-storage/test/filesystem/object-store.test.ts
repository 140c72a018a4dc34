import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, stat, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type ByteStream, GatewayError, type ObjectStore } from "@modelgate/core";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { filesystemObjectStore } from "../../src/filesystem/index.ts";
import { canMount, smallDisk } from "../mounts.ts";

// What must hold of every object store is in the contract kit; this is what files have of their own.

const MAKE_PIPE = "mkfifo";

async function open(given?: string): Promise<{ store: ObjectStore; directory: string }> {
  const directory = given ?? (await mkdtemp(join(tmpdir(), "modelgate-test-")));
  if (given === undefined) onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return { store: filesystemObjectStore({ directory }), directory };
}

async function* streamOf(...parts: (string | Uint8Array)[]): ByteStream {
  for (const part of parts) yield typeof part === "string" ? new TextEncoder().encode(part) : part;
}

/** A body that gives these pieces and then nothing, not even an end. */
async function* stalled(...parts: string[]): ByteStream {
  yield* streamOf(...parts);
  await new Promise(() => {});
}

async function textOf(body: ByteStream | undefined): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of body ?? []) parts.push(part);
  return Buffer.concat(parts).toString();
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return GatewayError.is(error) ? error.code : `${error}`;
}

async function filesIn(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}

describe("keys", () => {
  it.each([["."], ["a/."], ["./a"], ["a/./b"], ["a~"], ["a="], ["a=/b"]])("%j is refused", async (key) => {
    const { store } = await open();
    for (const call of [
      store.put(key, streamOf("x")),
      store.get(key),
      store.stat(key),
      store.delete([key]),
    ]) {
      expect(await codeOf(call)).toBe("INVALID_REQUEST");
    }
  });

  it("whose parts are cut into names of their own never meet, wherever they are cut", async () => {
    const { store } = await open();
    const parts = Array.from({ length: 13 }, (_, at) => "x".repeat(194 + at));
    const keys = parts.flatMap((part) => [part, `${part}/y`, `${part}./y`, `${part}../y`, `${part}..`]);
    for (const key of ["y", ...keys]) await store.put(key, streamOf(key));
    for (const key of ["y", ...keys]) expect(await textOf((await store.get(key))?.body)).toBe(key);
    expect((await store.list("")).items.map(({ key }) => key)).toEqual(["y", ...keys].sort());
  });

  it("never lead out of the directory by a symbolic link, however deep below it they end", async () => {
    const { store, directory } = await open();
    const outside = await mkdtemp(join(tmpdir(), "modelgate-outside-"));
    onTestFinished(() => rm(outside, { recursive: true, force: true }));
    await writeFile(join(outside, "secret~"), "secret");
    await store.put("real", streamOf("x"));
    await symlink(outside, join(directory, "objects", "link"));
    await symlink(join(outside, "nothing-yet"), join(directory, "objects", "dangling"));
    await symlink(join(outside, "secret~"), join(directory, "objects", "direct~"));
    for (const key of ["link/secret", "link/new/deep/k", "dangling/k", "direct"]) {
      expect(await textOf((await store.get(key).catch(() => undefined))?.body)).toBe("");
      expect(await store.stat(key).catch(() => undefined)).toBeUndefined();
      expect(await codeOf(store.put(key, streamOf("overwritten")))).toBe("STORE_UNAVAILABLE");
    }
    await store.delete(["link/secret"]).catch(() => {});
    expect(await readdir(outside)).toEqual(["secret~"]);
    expect((await stat(join(outside, "secret~"))).size).toBe(6);
    expect((await store.list("")).items.map(({ key }) => key)).toEqual(["real"]);
    expect(await readdir(join(directory, "unfinished"))).toEqual([]);
  });
});

describe("a put", () => {
  it("resolves although the object is deleted at once", async () => {
    const { store } = await open();
    let isOver = false;
    const deleting = (async () => {
      while (!isOver) await store.delete(["a/b"]);
    })();
    for (let round = 0; round < 100; round += 1) {
      expect(await store.put("a/b", streamOf("12345"))).toMatchObject({ key: "a/b", sizeBytes: 5 });
    }
    isOver = true;
    await deleting;
  });

  it("leaves no file behind, whatever ends it", async () => {
    const { store, directory } = await open();
    const controller = new AbortController();
    const aborted = store.put("a", stalled("x"), { signal: controller.signal }).catch(() => {});
    const closed = codeOf(store.put("b", stalled("x")));
    const words = (async function* (): AsyncGenerator<unknown> {
      yield "not bytes";
    })() as ByteStream;
    expect(await codeOf(store.put("c", words))).toBe("INVALID_REQUEST");
    await delay(30);
    expect(await filesIn(directory)).toHaveLength(2);
    controller.abort();
    await aborted;
    await store.close();
    expect(await filesIn(directory)).toEqual([]);
    expect(await closed).toBe("CLOSED");
  });

  it("that trickles in touches its file often enough not to be swept", async () => {
    const { store, directory } = await open();
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    let sizeAtLast = 0;
    const trickle = async function* (): ByteStream {
      yield* streamOf("first");
      vi.advanceTimersByTime(61_000);
      yield* streamOf("second");
      await delay(50);
      const [name = ""] = await readdir(join(directory, "unfinished"));
      sizeAtLast = (await stat(join(directory, "unfinished", name))).size;
    };
    await store.put("k", trickle());
    expect(sizeAtLast).toBe(11);
    expect(await textOf((await store.get("k"))?.body)).toBe("firstsecond");
  });
});

describe("a body", () => {
  it("ends with CLOSED when the store is closed, and its file is closed by then", async () => {
    const { store } = await open();
    await store.put("k", streamOf(new Uint8Array(600_000)));
    const begun = (await store.get("k"))?.body[Symbol.asyncIterator]();
    const untouched = (await store.get("k"))?.body;
    expect((await begun?.next())?.value).toHaveLength(262_144);
    await store.close();
    expect(await codeOf((begun as AsyncIterator<Uint8Array>).next())).toBe("CLOSED");
    expect(await codeOf(textOf(untouched))).toBe("CLOSED");
  });

  it("throws when somebody has cut its file short, instead of ending early", async () => {
    const { store, directory } = await open();
    await store.put("k", streamOf(new Uint8Array(600_000)));
    const found = await store.get("k");
    await truncate(join(directory, "objects", "k~"), 300_000);
    expect(await codeOf(textOf(found?.body))).toBe("STORE_UNAVAILABLE");
  });
});

describe("the directory", () => {
  it("shows objects only: whatever else lies in it is not read, listed or waited for", async () => {
    const { store, directory } = await open();
    await store.put("real", streamOf("x"));
    const objects = join(directory, "objects");
    await mkdir(join(objects, "folder~"));
    await writeFile(join(objects, "no-object"), "x");
    await writeFile(join(objects, "n\u00f6~"), "x");
    execFileSync(MAKE_PIPE, [join(objects, "pipe~")]);
    for (const key of ["folder", "pipe", "no-object"]) {
      expect([await store.get(key), await store.stat(key)]).toEqual([undefined, undefined]);
    }
    expect((await store.list("")).items.map(({ key }) => key)).toEqual(["real"]);
  });

  it("loses the folders that its last object has left", async () => {
    const { store, directory } = await open();
    for (const key of ["a/b/c/k", "a/b/l", "m"]) await store.put(key, streamOf("x"));
    await store.delete(["a/b/c/k"]);
    expect(await readdir(join(directory, "objects", "a", "b"))).toEqual(["l~"]);
    await store.delete(["a/b/l", "m"]);
    expect(await readdir(join(directory, "objects"))).toEqual([]);
  });

  it("loses half-written files of long ago when it is opened, and no others", async () => {
    const { directory } = await open();
    await mkdir(join(directory, "unfinished"), { recursive: true });
    for (const name of ["old", "new"]) await writeFile(join(directory, "unfinished", name), "half");
    const longAgo = Date.now() / 1000 - 3700;
    await utimes(join(directory, "unfinished", "old"), longAgo, longAgo);
    const { store } = await open(directory);
    await store.list("");
    expect(await readdir(join(directory, "unfinished"))).toEqual(["new"]);
  });

  it("is readable by its owner only", async () => {
    const { directory } = await open();
    const { store } = await open(join(directory, "new"));
    await store.put("a/b", streamOf("x"));
    expect((await stat(join(directory, "new"))).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, "new/objects/a/b~"))).mode & 0o777).toBe(0o600);
  });

  it.runIf(canMount())(
    "refuses when the disk is full, leaves nothing behind and goes on when there is room",
    async () => {
      const { store, directory } = await open(smallDisk("1m"));
      const chunk = new Uint8Array(300_000);
      await store.put("kept", streamOf(chunk));
      expect(await codeOf(store.put("large", streamOf(chunk, chunk, chunk)))).toBe("STORE_FULL");
      expect(await filesIn(directory)).toEqual(["kept~"]);
      await store.delete(["kept"]);
      expect(await store.put("large", streamOf(chunk, chunk))).toMatchObject({ sizeBytes: 600_000 });
    },
  );
});
