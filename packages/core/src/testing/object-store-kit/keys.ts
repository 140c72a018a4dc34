import assert from "node:assert/strict";
import type { ObjectStore } from "../../contracts/object-store.ts";
import { GatewayError } from "../../errors.ts";
import { bodyOf } from "../checks/bytes.ts";
import { nameOf, rejectsWith } from "../checks/rejections.ts";
import { allKeys, type ObjectStoreTest, put, readText } from "./fixture.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

/** Allowed, and apt to be mixed up by a store that makes paths, patterns or shorter names of them. */
const KEYS: readonly string[] = [
  ALPHABET,
  ...[..."Az09_-"],
  "a",
  "a/b",
  "a/b/c",
  "a.b",
  "a-b",
  "ab",
  "a..b",
  "...",
  ".a",
  "a.",
  "-a",
  "A/B",
  "con",
  "a.tmp",
  "x".repeat(512),
  `${"x".repeat(511)}y`,
  ...[100, 200, 255, 256, 300].flatMap((length) => [
    "x".repeat(length),
    `${"x".repeat(length)}/y`,
    // What is left of a long part that is cut somewhere must not be taken for `.` or `..`.
    `${"x".repeat(length)}./y`,
    `${"x".repeat(length)}../y`,
  ]),
  `${"y/".repeat(255)}yy`,
];

const NO_KEYS: readonly string[] = [
  "",
  "/",
  "/x",
  "x/",
  "a//b",
  ".",
  "a/.",
  "./a",
  "..",
  "../x",
  "a/..",
  "a/../b",
  "../../../../tmp/x",
  "a\0b",
  "a\\b",
  "..\\x",
  "a b",
  "a\nb",
  "a\n",
  "%2e%2e/x",
  "a?b",
  "a#b",
  "a:b",
  "a*b",
  "a~b",
  "\u00e4",
  "\uff0e\uff0e/x",
  "a\u2028b",
  "\u{1f600}",
  "a\ud800",
  "x".repeat(513),
  `${"y/".repeat(256)}y`,
];

/** Keys: 1 to 512 characters of `[A-Za-z0-9_./-]`, without `..` or empty parts. */
export const keys: readonly ObjectStoreTest[] = [
  {
    name: "keys of any allowed form and length hold their objects apart",
    timeoutMs: 60_000,
    async run({ objects }) {
      const different = [...new Set(KEYS)];
      for (const key of different) await put(objects, key, `the body of ${key}`);
      for (const key of different) {
        assert.equal(await readText(objects, key), `the body of ${key}`, `get(${key})`);
        assert.equal((await objects.stat(key))?.key, key, `stat(${key})`);
      }
      assert.deepEqual((await allKeys(objects)).sort(), different.toSorted(), "the list");
      const [first = "", ...others] = different;
      await objects.delete(others);
      assert.deepEqual(await allKeys(objects), [first], "the list after all others were deleted");
    },
  },
  {
    name: "what is no key is refused with INVALID_REQUEST by every method, and touches nothing",
    async run({ objects }) {
      await put(objects, "x", "untouched");
      await put(objects, "a/b", "untouched");
      for (const key of NO_KEYS) {
        for (const [name, call] of Object.entries(callsWith(objects, key))) {
          await rejectsWith("INVALID_REQUEST", `${name} of ${JSON.stringify(key).slice(0, 40)}`, call);
        }
        await listSafely(objects, key);
      }
      assert.deepEqual(await allKeys(objects), ["a/b", "x"], "the list");
      for (const key of ["x", "a/b"]) assert.equal(await readText(objects, key), "untouched", `get(${key})`);
    },
  },
];

function callsWith(objects: ObjectStore, key: string): Record<string, () => Promise<unknown>> {
  return {
    put: () => objects.put(key, bodyOf("overwritten")),
    get: () => objects.get(key),
    "get of a range": () => objects.get(key, { range: { start: 0, end: 1 } }),
    stat: () => objects.stat(key),
    delete: () => objects.delete([key]),
    "delete of others too": () => objects.delete(["x", key, "a/b"]),
    ...(objects.capabilities.presign ? { presign: () => objects.presign(key, 60_000) } : {}),
  };
}

/** A prefix need not be a key; what cannot begin one finds nothing or is refused. */
async function listSafely(objects: ObjectStore, prefix: string): Promise<void> {
  const found = await objects.list(prefix).then(
    ({ items }) => items.map(({ key }) => key),
    (error: unknown) => {
      assert.ok(GatewayError.is(error, "INVALID_REQUEST"), `list rejected with ${nameOf(error)}`);
      return [];
    },
  );
  const wrong = found.filter((key) => !key.startsWith(prefix));
  assert.deepEqual(wrong, [], `what list(${JSON.stringify(prefix).slice(0, 40)}) found`);
}
