import assert from "node:assert/strict";
import type { RecordStore, StoredRecord } from "../../contracts/record-store.ts";
import { GatewayError } from "../../errors.ts";
import { nameOf } from "../checks/rejections.ts";
import { settles } from "../checks/waiting.ts";
import { allKeys, allRecords, create, type RecordStoreTest, valueAt } from "./fixture.ts";

const MANY = 2300;
const AT_ONCE = 32;

/** Keys that a store which makes patterns, paths or properties of them mixes up. */
const KEYS: readonly string[] = [
  ..."aAzZ09_-.:/\\ %*?[]{}()'\"`$&|<>#;,~^+=!@",
  "a/b",
  "a/b/",
  "a/b/c",
  "/a",
  "a//b",
  "../a",
  "..",
  "ab",
  "AB",
  "a b",
  " a",
  "a ",
  "a%",
  "a_",
  "a%b",
  "a_b",
  "axb",
  "a*",
  "a'b",
  "a\tb",
  "a\nb",
  "__proto__",
  "constructor",
  "toString",
  "null",
  "undefined",
  "0",
  "00",
  "\u00e9",
  "e\u0301",
  "\u00df",
  "ss",
  "\u4e16\u754c",
  "\u{1f600}",
  "\u202e",
  "k".repeat(400),
  `${"k".repeat(399)}l`,
];

/** Keys that a prefix finds when it is taken for a pattern or compared loosely. */
const PREFIXED: readonly string[] = [
  "a",
  "ab",
  "a/",
  "a/b",
  "a/b/c",
  "a%",
  "a%b",
  "a_",
  "a_b",
  "axb",
  "a*",
  "A",
  "AB",
  "%b",
  "_b",
  "\\b",
  "e\u0301",
  "\u00e9t\u00e9",
  "\u{1f600}!",
  "b",
  "kk",
  "k".repeat(400),
];

/** Keys and listings. */
export const listing: readonly RecordStoreTest[] = [
  {
    name: "keys hold their records apart, whatever characters they have",
    async run({ records }) {
      const keys = [...new Set(KEYS)];
      for (const [at, key] of keys.entries()) await create(records, key, at);
      for (const [at, key] of keys.entries()) {
        assert.equal(await valueAt(records, key), at, `get(${JSON.stringify(key)})`);
      }
      assert.deepEqual((await allKeys(records)).sort(), keys.toSorted(), "the list");
    },
  },
  {
    name: "a key that cannot be kept is refused with INVALID_REQUEST and not changed into another",
    async run({ records }) {
      for (const key of ["a\u0000b", "\u0000", "a\ud800", "\udc00b"]) {
        const outcome = await settles(
          "put",
          records.put(key, "odd", null).catch((error: unknown) => {
            assert.ok(GatewayError.is(error, "INVALID_REQUEST"), `put rejected with ${nameOf(error)}`);
            return "refused" as const;
          }),
        );
        if (outcome === "refused") continue;
        assert.equal(outcome?.key, key);
        assert.equal(await valueAt(records, key), "odd", `get(${JSON.stringify(key)})`);
      }
      for (const key of ["a", "b", "ab", "a\ufffd", "\ufffdb"]) {
        assert.equal(await records.get(key), undefined, `get(${JSON.stringify(key)})`);
      }
    },
  },
  {
    name: "list gives the records whose key begins with the prefix, letter by letter",
    async run({ records }) {
      const keys = PREFIXED;
      for (const [at, key] of keys.entries()) await create(records, key, at);
      const prefixes = [
        "",
        "a",
        "a/",
        "a/b",
        "a%",
        "a_",
        "A",
        "a*",
        "%",
        "_",
        "\\",
        "\u00e9",
        "e",
        "k",
        "[a-z]",
      ];
      for (const prefix of [...prefixes, "\u{1f600}", "k".repeat(399)]) {
        const found = await allRecords(records, prefix);
        const expected = keys.filter((key) => key.startsWith(prefix)).sort();
        const what = `list(${JSON.stringify(prefix.slice(0, 20))})`;
        assert.deepEqual(found.map(({ key }) => key).sort(), expected, what);
        for (const { key, value } of found) assert.equal(value, keys.indexOf(key), `the value of ${key}`);
      }
    },
  },
  {
    name: "list gives records by key, each as get does",
    async run({ records }) {
      const keys = ["b", "a/b", "a", "a.b", "a-b", "a0", "B", "_", "aa", "0", "~"];
      for (const key of keys) await create(records, key, key);
      const found = await allRecords(records);
      // All of them are ASCII: on the order of other characters backends differ.
      assert.deepEqual(
        found.map(({ key }) => key),
        keys.toSorted(),
      );
      for (const record of found) assert.deepEqual({ ...(await records.get(record.key)) }, { ...record });
    },
  },
  {
    name: "the last page has no cursor, nor has one without records",
    async run({ records }) {
      assert.deepEqual(
        { ...(await records.list("")), nextCursor: undefined },
        { items: [], nextCursor: undefined },
      );
      const record = await create(records, "k", 1);
      const page = await records.list("");
      assert.deepEqual(
        page.items.map((item) => ({ ...item })),
        [{ ...record }],
      );
      assert.equal(page.nextCursor, undefined, "the cursor of the only page");
      assert.equal((await records.list("other")).nextCursor, undefined, "the cursor of an empty page");
    },
  },
  {
    name: "page by page, thousands of records come in order and once each, while others write",
    timeoutMs: 120_000,
    async run({ records }) {
      const steady = Array.from({ length: MANY }, (_, at) => `all/${at % 7}/${String(at).padStart(4, "0")}`);
      await createAll(records, steady);
      const listed: string[] = [];
      let cursor: string | undefined;
      for (let pages = 0; ; pages += 1) {
        assert.ok(pages <= MANY, "the pages do not come to an end");
        const page = await records.list("all/", cursor);
        listed.push(...page.items.map(({ key }) => key));
        if (page.nextCursor === undefined) break;
        cursor = page.nextCursor;
        await write(records, page.items, pages);
      }
      const disorder = listed.find((key, at) => at > 0 && key <= (listed[at - 1] as string));
      assert.equal(disorder, undefined, "the first record that came twice or out of order");
      const seen = new Set(listed);
      const missing = steady.filter((key) => !seen.has(key));
      assert.deepEqual(missing.slice(0, 5), [], `records that were missed (${missing.length} in all)`);
    },
  },
];

/** Of the last page, the last record and the first go away; others appear around it, and one is changed. */
async function write(records: RecordStore, items: readonly StoredRecord[], page: number): Promise<void> {
  const last = items.at(-1);
  const [first, second] = items;
  if (last === undefined || first === undefined || second === undefined || first === last) return;
  await records.delete(last.key, last.version);
  await records.delete(first.key, first.version);
  await records.put(second.key, "changed", second.version);
  await createAll(records, [`all/0/new-${page}`, `${last.key}-new`, `all/6/9999-new-${page}`]);
}

async function createAll(records: RecordStore, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += AT_ONCE) {
    await Promise.all(keys.slice(at, at + AT_ONCE).map((key) => create(records, key, key)));
  }
}
