import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import type { ByteStream } from "../../src/contracts/common.ts";
import type { JsonValue } from "../../src/contracts/record-store.ts";
import { memoryObjectStore } from "../../src/memory/object-store.ts";
import { memoryRecordStore } from "../../src/memory/record-store.ts";
import { settled } from "../discovery/manual-clock.ts";

async function* stream(...pieces: (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if (piece instanceof Error) throw piece;
    yield new TextEncoder().encode(piece);
  }
}

async function text(body: ByteStream | undefined): Promise<string | undefined> {
  if (body === undefined) return undefined;
  let whole = "";
  for await (const piece of body) whole += new TextDecoder().decode(piece);
  return whole;
}

describe("the memory object store", () => {
  it("stores all of a body or nothing, and replaces it whole", async () => {
    const store = memoryObjectStore();
    expect(await store.put("a/b", stream("one", "two"))).toMatchObject({ key: "a/b", sizeBytes: 6 });
    await expect(store.put("a/b", stream("three", new Error("broke off")))).rejects.toThrow("broke off");
    expect(await text((await store.get("a/b"))?.body)).toBe("onetwo");
    await store.put("a/b", stream("4"));
    expect((await store.stat("a/b"))?.sizeBytes).toBe(1);
    expect([await store.get("c"), await store.stat("c")]).toEqual([undefined, undefined]);
  });

  it("reads ranges", async () => {
    const store = memoryObjectStore();
    await store.put("k", stream("0123456789"));
    const range = async (start: number, end?: number) => {
      const read = await store.get("k", { range: { start, end } });
      return [await text(read?.body), read?.sizeBytes];
    };
    expect(await range(2, 4)).toEqual(["234", 10]);
    expect(await range(7)).toEqual(["789", 10]);
    expect(await range(9, 1000)).toEqual(["9", 10]);
    await expect(range(10)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    await expect(range(-1)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });

  it("lets a reader that has begun read to its end", async () => {
    const store = memoryObjectStore();
    await store.put("k", stream("kept"));
    const read = await store.get("k");
    await store.delete(["k", "unknown"]);
    expect([await text(read?.body), await store.stat("k")]).toEqual(["kept", undefined]);
  });

  it("shares no bytes with anybody", async () => {
    const store = memoryObjectStore();
    async function* reusing(): AsyncGenerator<Uint8Array> {
      const own = new Uint8Array(1);
      for (const value of [97, 98]) {
        own[0] = value;
        yield own;
      }
    }
    await store.put("k", reusing());
    for await (const piece of (await store.get("k"))?.body ?? []) piece.fill(120);
    expect(await text((await store.get("k"))?.body)).toBe("ab");
  });

  it("lists by prefix in pages", async () => {
    const store = memoryObjectStore();
    for (let at = 0; at < 1005; at += 1) await store.put(`p/${String(at).padStart(4, "0")}`, stream());
    await store.put("q", stream());
    const first = await store.list("p/");
    const second = await store.list("p/", first.nextCursor);
    expect([first.items.length, second.items.length, second.nextCursor]).toEqual([1000, 5, undefined]);
    expect(second.items[0]?.key).toBe("p/1000");
  });

  it("refuses keys that are not keys, addresses, and what it has no room for", async () => {
    const store = memoryObjectStore({ maxBytes: 5 });
    for (const key of ["", "/a", "a/", "a//b", "../a", "a/..", "ä", "a".repeat(513)]) {
      await expect(store.get(key)).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    }
    await expect(store.presign("k", 1)).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await store.put("k", stream("12345"));
    await store.put("k", stream("54321"));
    await expect(store.put("l", stream("1"))).rejects.toMatchObject({ code: "STORE_FULL" });
    await store.delete(["k"]);
    await store.put("l", stream("1"));
  });

  it("lets go of a body that hangs when it is aborted", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    let isReturned = false;
    const hanging: ByteStream = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: async () => {
          isReturned = true;
          return { done: true, value: undefined };
        },
      }),
    };
    const store = memoryObjectStore();
    const putting = store.put("k", hanging, { signal: controller.signal });
    const rejected = expect(putting).rejects.toBe(reason);
    await settled();
    controller.abort(reason);
    await rejected;
    expect([isReturned, await store.stat("k")]).toEqual([true, undefined]);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });
});

describe("the memory record store", () => {
  it("writes only over the version that was read", async () => {
    const store = memoryRecordStore();
    const first = await store.put("k", { n: 1 }, null);
    expect(await store.put("k", { n: 2 }, null)).toBeUndefined();
    const second = await store.put("k", { n: 2 }, first?.version ?? "");
    expect(await store.put("k", { n: 3 }, first?.version ?? "")).toBeUndefined();
    expect(await store.get("k")).toEqual(second);
    expect(await store.delete("k", first?.version ?? "")).toBe(false);
    expect(await store.delete("k", second?.version ?? "")).toBe(true);
    const again = await store.put("k", { n: 4 }, null);
    expect([first?.version, second?.version]).not.toContain(again?.version);
  });

  it("lists by prefix, and gives out copies", async () => {
    const store = memoryRecordStore();
    const value = { list: [1] };
    for (const key of ["b/2", "a", "b/1"]) await store.put(key, value, null);
    value.list.push(2);
    const { items } = await store.list("b/");
    expect(items.map(({ key, value: stored }) => [key, stored])).toEqual([
      ["b/1", { list: [1] }],
      ["b/2", { list: [1] }],
    ]);
    (items[0] as { value: unknown } as { value: { list: JsonValue[] } }).value.list.push(9);
    expect((await store.get("b/1"))?.value).toEqual({ list: [1] });
  });

  it("refuses a value that is too large", async () => {
    const store = memoryRecordStore();
    await expect(store.put("k", "é".repeat(131_072), null)).rejects.toMatchObject({
      code: "INVALID_REQUEST",
    });
    await store.put("k", "x".repeat(262_142), null);
  });
});
