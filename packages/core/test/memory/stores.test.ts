import { describe, expect, it } from "vitest";
import { memoryObjectStore } from "../../src/memory/object-store.ts";

// What must hold of every store is in the contract kits; this is what the memory stores have of their own.

async function* stream(...pieces: string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield new TextEncoder().encode(piece);
}

describe("the memory object store", () => {
  it("holds maxBytes in all, and does not count twice what is replaced or was removed", async () => {
    const store = memoryObjectStore({ maxBytes: 5 });
    await store.put("k", stream("12345"));
    await store.put("k", stream("54", "321"));
    await expect(store.put("k", stream("123456"))).rejects.toMatchObject({
      ...{ code: "STORE_FULL", details: { maxBytes: 5 } },
    });
    await expect(store.put("l", stream("1"))).rejects.toMatchObject({ code: "STORE_FULL" });
    await store.delete(["k", "k"]);
    await store.put("l", stream("1234"));
    await expect(store.put("m", stream("12"))).rejects.toMatchObject({ code: "STORE_FULL" });
  });
});
