import { mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type ByteStream, GatewayError, type ObjectStore } from "@modelgate/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { filesystemObjectStore } from "../../src/filesystem/index.ts";
import { canMount, smallDisk } from "../mounts.ts";

async function open(given?: string): Promise<{ store: ObjectStore; directory: string }> {
  const directory = given ?? (await mkdtemp(join(tmpdir(), "modelgate-test-")));
  if (given === undefined) onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return { store: filesystemObjectStore({ directory }), directory };
}

async function* streamOf(...parts: (string | Uint8Array)[]): ByteStream {
  for (const part of parts) yield typeof part === "string" ? new TextEncoder().encode(part) : part;
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
  const hostile = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    "..",
    "../a",
    "a/../b",
    "a/..",
    ".",
    "a/./b",
    "a\0b",
    "a\\b",
    "ä",
    "a b",
    "a~",
    "a=",
    "x".repeat(513),
  ];

  it.each(hostile.map((key) => [key]))("%j is refused everywhere", async (key) => {
    const { store } = await open();
    expect(await codeOf(store.put(key, streamOf("x")))).toBe("INVALID_REQUEST");
    expect(await codeOf(store.get(key))).toBe("INVALID_REQUEST");
    expect(await codeOf(store.stat(key))).toBe("INVALID_REQUEST");
    expect(await codeOf(store.delete([key]))).toBe("INVALID_REQUEST");
  });

  it("of any allowed form hold their objects apart", async () => {
    const { store } = await open();
    const keys = [
      "a",
      "a/b",
      "a/b/c",
      "a.b",
      "a..b",
      "...",
      "-",
      "A",
      "x".repeat(512),
      "x".repeat(200),
      `${"x".repeat(200)}/y`,
      `${"y/".repeat(255)}yy`,
    ];
    for (const key of keys) await store.put(key, streamOf(`body of ${key}`));
    for (const key of keys) expect(await textOf((await store.get(key))?.body)).toBe(`body of ${key}`);
    expect((await store.list("")).items.map(({ key }) => key)).toEqual([...keys].sort());
    await store.delete([...keys, "unknown"]);
    expect((await store.list("")).items).toEqual([]);
  });

  it("never lead out of the directory, not even by a symbolic link", async () => {
    const { store, directory } = await open();
    const outside = await mkdtemp(join(tmpdir(), "modelgate-outside-"));
    onTestFinished(() => rm(outside, { recursive: true, force: true }));
    await writeFile(join(outside, "secret~"), "secret");
    await store.put("real", streamOf("x"));
    await symlink(outside, join(directory, "objects", "link"));
    await symlink(join(outside, "secret~"), join(directory, "objects", "direct~"));
    for (const key of ["link/secret", "direct"]) {
      expect(await textOf((await store.get(key).catch(() => undefined))?.body)).toBe("");
      expect(await store.stat(key).catch(() => undefined)).toBeUndefined();
      expect(await codeOf(store.put(key, streamOf("overwritten")))).toBe("STORE_UNAVAILABLE");
    }
    await store.delete(["link/secret"]).catch(() => {});
    expect(await readdir(outside)).toEqual(["secret~"]);
    expect((await stat(join(outside, "secret~"))).size).toBe(6);
    expect((await store.list("")).items.map(({ key }) => key)).toEqual(["real"]);
  });
});

describe("an object", () => {
  it("is there whole or not at all", async () => {
    const { store, directory } = await open();
    await store.put("a", streamOf("first"));
    const broken = new Error("the sender hung up");
    const body = (async function* (): ByteStream {
      yield new Uint8Array(100_000);
      throw broken;
    })();
    await expect(store.put("a", body)).rejects.toBe(broken);
    expect(await textOf((await store.get("a"))?.body)).toBe("first");
    expect(await filesIn(directory)).toEqual(["a~"]);
    expect(await store.put("a", streamOf("sec", "ond"))).toMatchObject({ key: "a", sizeBytes: 6 });
    expect(await textOf((await store.get("a"))?.body)).toBe("second");
    await store.put("empty", streamOf());
    expect(await textOf((await store.get("empty"))?.body)).toBe("");
  });

  it("is not waited for after an abort, although its source has stalled", async () => {
    const { store, directory } = await open();
    const controller = new AbortController();
    const stalled = (async function* (): ByteStream {
      yield new Uint8Array(10);
      await new Promise(() => {});
    })();
    const put = store.put("a", stalled, { signal: controller.signal });
    await delay(30);
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(put).rejects.toBe(reason);
    expect(await filesIn(directory)).toEqual([]);
  });

  it("is read in ranges with both ends inclusive", async () => {
    const { store } = await open();
    await store.put("a", streamOf("0123456789"));
    const read = async (start: number, end?: number): Promise<string> =>
      textOf((await store.get("a", { range: { start, end } }))?.body);
    expect(await read(0, 0)).toBe("0");
    expect(await read(3, 5)).toBe("345");
    expect(await read(8, 100)).toBe("89");
    expect(await read(9)).toBe("9");
    for (const range of [
      { start: 10 },
      { start: -1 },
      { start: 5, end: 4 },
      { start: 0.5 },
      { start: Number.NaN },
    ]) {
      expect(await codeOf(store.get("a", { range }))).toBe("INVALID_REQUEST");
    }
    expect(await store.get("nothing", { range: { start: 3 } })).toBeUndefined();
  });

  it("is read to its end although it is deleted or replaced meanwhile", async () => {
    const { store } = await open();
    const large = "x".repeat(300_000);
    await store.put("a", streamOf(large));
    const first = await store.get("a");
    const second = await store.get("a");
    await store.put("a", streamOf("new"));
    await store.delete(["a"]);
    expect(await textOf(first?.body)).toBe(large);
    const iterator = second?.body[Symbol.asyncIterator]();
    await iterator?.return?.();
    expect(await iterator?.next()).toEqual({ done: true, value: undefined });
    expect(await store.get("a")).toBeUndefined();
  });

  it("passes through in pieces, both ways", { timeout: 60_000 }, async () => {
    const { store } = await open();
    const chunk = new Uint8Array(1024 * 1024).fill(7);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    await store.put("big", streamOf(...Array.from({ length: 200 }, () => chunk)));
    let sizeBytes = 0;
    for await (const part of (await store.get("big"))?.body ?? []) {
      sizeBytes += part.length;
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(sizeBytes).toBe(200 * chunk.length);
    expect(most).toBeLessThan(100 * 1024 * 1024);
  });

  it("survives others that come and go in the same folder", async () => {
    const { store } = await open();
    const worker = async (name: string): Promise<void> => {
      for (let round = 0; round < 40; round += 1) {
        await store.put(`shared/deep/${name}`, streamOf(name));
        expect(await textOf((await store.get(`shared/deep/${name}`))?.body)).toBe(name);
        await store.delete([`shared/deep/${name}`]);
      }
    };
    await Promise.all(["a", "b", "c"].map(worker));
    expect((await store.list("")).items).toEqual([]);
  });
});

describe("the directory", () => {
  it("is listed by key, in pages and below a prefix", { timeout: 60_000 }, async () => {
    const { store } = await open();
    const keys = Array.from({ length: 1100 }, (_, index) => `p${index % 7}/${index}`);
    for (let at = 0; at < keys.length; at += 50)
      await Promise.all(keys.slice(at, at + 50).map((key) => store.put(key, streamOf(key))));
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.list("", cursor);
      found.push(...page.items.map(({ key }) => key));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(found).toEqual([...keys].sort());
    expect((await store.list("p3/1")).items.map(({ key }) => key)).toEqual(
      keys.filter((key) => key.startsWith("p3/1")).sort(),
    );
    expect((await store.list("nothing")).items).toEqual([]);
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

  it("claims no addresses and nothing after it was closed", async () => {
    const { store } = await open();
    expect(store.capabilities).toEqual({ durable: true, shared: true, presign: false });
    expect(await codeOf(store.presign("a", 1000))).toBe("UNSUPPORTED");
    await store.close();
    await store.close();
    for (const call of [
      store.get("a"),
      store.put("a", streamOf("x")),
      store.stat("a"),
      store.delete(["a"]),
      store.list(""),
      store.presign("a", 1),
    ]) {
      expect(await codeOf(call)).toBe("CLOSED");
    }
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
