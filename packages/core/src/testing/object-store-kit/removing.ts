import assert from "node:assert/strict";
import { assertBytes, MIB, testBytes } from "../checks/bytes.ts";
import { settles } from "../checks/waiting.ts";
import { allKeys, begin, type ObjectStoreTest, put } from "./fixture.ts";

/** More than some backends delete in one request. */
const MANY = 2100;

/** Deleting. */
export const removing: readonly ObjectStoreTest[] = [
  {
    name: "delete removes what is there and ignores keys that are not",
    async run({ objects }) {
      for (const key of ["a", "a/b", "a/c", "d"]) await put(objects, key, "x");
      await objects.delete(["unknown", "a/b", "a/unknown", "d", "d", "b"]);
      assert.deepEqual(await allKeys(objects), ["a", "a/c"]);
      assert.equal(await objects.get("a/b"), undefined);
      assert.equal(await objects.stat("d"), undefined);
      await objects.delete(["a/b", "d"]);
      await objects.delete([]);
      assert.deepEqual(await allKeys(objects), ["a", "a/c"]);
    },
  },
  {
    name: "delete takes thousands of keys at once",
    timeoutMs: 60_000,
    async run({ objects }) {
      const keys = Array.from({ length: MANY }, (_, at) => `gone/${String(at).padStart(4, "0")}`);
      const there = keys.filter((_, at) => at % 300 === 0 || at === MANY - 1);
      for (const key of [...there, "kept"]) await put(objects, key, "x");
      await settles("delete", objects.delete(keys), 30_000);
      assert.deepEqual(await allKeys(objects), ["kept"]);
    },
  },
  {
    name: "a reader that has begun reads to its end although the object is deleted",
    async run({ objects }) {
      const bytes = testBytes(4 * MIB, 11);
      await put(objects, "k", bytes);
      const found = await objects.get("k");
      assert.ok(found !== undefined, "the object is missing");
      const { first, rest } = await begin(found.body);
      await objects.delete(["k"]);
      assert.equal(await objects.stat("k"), undefined, "stat after delete");
      const pieces = [first];
      for await (const piece of rest) pieces.push(piece.slice());
      assertBytes(Buffer.concat(pieces), bytes, "what the reader read");
    },
  },
  {
    name: "objects that come and go beside each other do not disturb one another",
    async run({ objects }) {
      const come = async (name: string): Promise<void> => {
        for (let round = 0; round < 15; round += 1) {
          const key = `shared/deep/${name}`;
          await put(objects, key, name);
          assert.equal((await objects.stat(key))?.sizeBytes, name.length, `stat(${key})`);
          await objects.delete([key]);
        }
      };
      await settles("all of them", Promise.all(["a", "bb", "ccc", "dddd"].map(come)), 30_000);
      assert.deepEqual(await allKeys(objects), []);
    },
  },
];
