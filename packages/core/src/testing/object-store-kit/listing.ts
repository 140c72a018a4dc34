import assert from "node:assert/strict";
import type { ObjectStat, ObjectStore } from "../../contracts/object-store.ts";
import { bodyOf } from "../checks/bytes.ts";
import { allKeys, type ObjectStoreTest, put } from "./fixture.ts";

const MANY = 2300;
const AT_ONCE = 32;

/** Listing: by key, in pages. */
export const listing: readonly ObjectStoreTest[] = [
  {
    name: "list gives objects in the order of their keys' characters",
    async run({ objects }) {
      const keys = ["b", "a/b", "a", "a.b", "a-b", "a0", "B", "_", "a/B", "a/b/c", "0", "aa", "a_b", "-"];
      for (const key of keys) await put(objects, key, "x");
      // All of them are ASCII, so that the order of characters is the one of bytes.
      assert.deepEqual(await allKeys(objects), keys.toSorted());
    },
  },
  {
    name: "list gives the objects whose key begins with the prefix, wherever that ends",
    async run({ objects }) {
      const keys = ["p", "p/1", "p/1/x", "p/10", "p/2", "p1", "P/1", "pp", "q/p/1", "p.1", "p_1"];
      for (const key of keys) await put(objects, key, "x");
      for (const prefix of [
        "",
        "p",
        "p/",
        "p/1",
        "p/1/",
        "p/10",
        "p/100",
        "p.",
        "p_",
        "q/p",
        "nothing",
        "x/",
      ]) {
        const expected = keys.filter((key) => key.startsWith(prefix)).sort();
        assert.deepEqual(
          (await allKeys(objects, prefix)).sort(),
          expected,
          `list(${JSON.stringify(prefix)})`,
        );
      }
    },
  },
  {
    name: "the last page has no cursor, nor has one without objects",
    async run({ objects }) {
      assert.deepEqual(await pageOf(objects, ""), { keys: [], nextCursor: undefined });
      await put(objects, "k", "x");
      assert.deepEqual(await pageOf(objects, ""), { keys: ["k"], nextCursor: undefined });
      assert.deepEqual(await pageOf(objects, "other"), { keys: [], nextCursor: undefined });
    },
  },
  {
    name: "page by page, thousands of objects come in order and once each, while others come and go",
    timeoutMs: 120_000,
    async run({ objects }) {
      const steady = Array.from({ length: MANY }, (_, at) => `all/${at % 7}/${String(at).padStart(4, "0")}`);
      await putAll(objects, steady);
      const listed: string[] = [];
      let cursor: string | undefined;
      for (let pages = 0; ; pages += 1) {
        assert.ok(pages <= MANY, "the pages do not come to an end");
        const page = await objects.list("all/", cursor);
        listed.push(...page.items.map(({ key }) => key));
        if (page.nextCursor === undefined) break;
        cursor = page.nextCursor;
        await comeAndGo(objects, page.items, pages);
      }
      const disorder = listed.find((key, at) => at > 0 && key <= (listed[at - 1] as string));
      assert.equal(disorder, undefined, "the first object that came twice or out of order");
      const seen = new Set(listed);
      const missing = steady.filter((key) => !seen.has(key));
      assert.deepEqual(missing.slice(0, 5), [], `objects that were missed (${missing.length} in all)`);
    },
  },
];

/** Of the last page, the last object and the first two go away; others appear around it, and one is replaced. */
async function comeAndGo(objects: ObjectStore, items: readonly ObjectStat[], page: number): Promise<void> {
  const [first, second] = items;
  const last = items.at(-1);
  if (first === undefined || second === undefined || last === undefined) return;
  await objects.delete([last.key, first.key, second.key]);
  await putAll(objects, [`all/0/new-${page}`, `${last.key}-new`, `all/6/9999-new-${page}`, "all/6/2295"]);
}

async function putAll(objects: ObjectStore, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += AT_ONCE) {
    await Promise.all(keys.slice(at, at + AT_ONCE).map((key) => objects.put(key, bodyOf("x"))));
  }
}

async function pageOf(
  objects: ObjectStore,
  prefix: string,
): Promise<{ readonly keys: readonly string[]; readonly nextCursor: string | undefined }> {
  const { items, nextCursor } = await objects.list(prefix);
  return { keys: items.map(({ key }) => key), nextCursor };
}
