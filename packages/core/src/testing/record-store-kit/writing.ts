import assert from "node:assert/strict";
import { settles } from "../checks/waiting.ts";
import {
  allKeys,
  countUp,
  create,
  type RecordStoreFixture,
  type RecordStoreTest,
  valueAt,
} from "./fixture.ts";

const isAlone = ({ another }: RecordStoreFixture): string | undefined =>
  another === undefined ? "the fixture has no other client" : undefined;

/** Compare-and-set: creating, changing, deleting, and races. */
export const writing: readonly RecordStoreTest[] = [
  {
    name: "a record that is not there is undefined",
    async run({ records }) {
      await create(records, "a/b", 1);
      for (const key of ["a", "a/", "a/b/c", "A/b"]) assert.equal(await records.get(key), undefined, key);
    },
  },
  {
    name: "put resolves the record that get gives from then on",
    async run({ records }) {
      const written = await create(records, "k", { n: 1 });
      assert.equal(written.key, "k");
      assert.deepEqual(written.value, { n: 1 });
      assert.equal(typeof written.version, "string", "the type of the version");
      assert.deepEqual({ ...(await records.get("k")) }, { ...written });
      const changed = await records.put("k", { n: 2 }, written.version);
      assert.deepEqual({ ...(await records.get("k")) }, { ...changed });
    },
  },
  {
    name: "with null, put creates a record once, and changes none",
    async run({ records }) {
      const written = await create(records, "k", "first");
      assert.equal(await records.put("k", "second", null), undefined, "what the second put resolves");
      assert.deepEqual({ ...(await records.get("k")) }, { ...written });
    },
  },
  {
    name: "put writes over the version that it was given, and over no other",
    async run({ records }) {
      const first = await create(records, "k", "first");
      const second = await records.put("k", "second", first.version);
      assert.ok(second !== undefined, "put over the version that is there must write");
      for (const [what, version] of [
        ["an old version", first.version],
        ["a made-up version", `${second.version}0`],
        ["an empty version", ""],
      ] as const) {
        assert.equal(await records.put("k", "third", version), undefined, `put over ${what}`);
        assert.deepEqual({ ...(await records.get("k")) }, { ...second }, `the record after put over ${what}`);
      }
    },
  },
  {
    name: "put over a version creates nothing where there is no record",
    async run({ records }) {
      const { version } = await create(records, "other", 1);
      assert.equal(await records.put("k", 1, version), undefined);
      assert.equal(await records.get("k"), undefined);
    },
  },
  {
    name: "every write gives the record another version, also with the same value or after a delete",
    async run({ records }) {
      const versions: string[] = [];
      for (let round = 0; round < 3; round += 1) {
        let last = await create(records, "k", "same");
        versions.push(last.version);
        for (let write = 0; write < 5; write += 1) {
          const next = await records.put("k", "same", last.version);
          assert.ok(next !== undefined, "put over the version that is there must write");
          versions.push(next.version);
          last = next;
        }
        assert.equal(await records.delete("k", last.version), true, "delete");
      }
      assert.equal(new Set(versions).size, versions.length, `versions came twice: ${versions.join(" ")}`);
    },
  },
  {
    name: "delete removes the version that it was given, and no other, and tells whether it did",
    async run({ records }) {
      const first = await create(records, "k", 1);
      const second = await records.put("k", 2, first.version);
      assert.ok(second !== undefined, "put over the version that is there must write");
      assert.equal(await records.delete("k", first.version), false, "delete of an old version");
      assert.equal(await valueAt(records, "k"), 2);
      assert.equal(await records.delete("other", second.version), false, "delete of what is not there");
      assert.equal(await records.delete("k", second.version), true, "delete");
      assert.equal(await records.get("k"), undefined);
      assert.equal(await records.delete("k", second.version), false, "the second delete");
      assert.deepEqual(await allKeys(records), []);
    },
  },
  {
    name: "of many who create one record at once, one does",
    async run({ records }) {
      const puts = Array.from({ length: 20 }, (_, at) => records.put("k", at, null));
      const written = (await settles("put", Promise.all(puts))).filter((record) => record !== undefined);
      assert.equal(written.length, 1, "how many were told that they created it");
      assert.deepEqual({ ...(await records.get("k")) }, { ...written[0] });
    },
  },
  {
    name: "of many who change one version at once, one does, and a count that all carry on loses no step",
    timeoutMs: 60_000,
    async run({ records }) {
      const counters = Array.from({ length: 8 }, async () => {
        for (let step = 0; step < 15; step += 1) await countUp(records, "k");
      });
      await settles("counting", Promise.all(counters), 50_000);
      assert.equal(await valueAt(records, "k"), 8 * 15);
    },
  },
  {
    name: "of many who delete one version at once, one does",
    async run({ records }) {
      const { version } = await create(records, "k", 1);
      const deletes = Array.from({ length: 20 }, () => records.delete("k", version));
      const removed = (await settles("delete", Promise.all(deletes))).filter((did) => did);
      assert.equal(removed.length, 1, "how many were told that they deleted it");
    },
  },
  {
    name: "clients of one backend see each other's writes, and one version for all",
    leaveOut: isAlone,
    async run({ records, another }) {
      const other = await another?.();
      assert.ok(other !== undefined);
      const first = await create(records, "k", "first");
      assert.deepEqual({ ...(await other.get("k")) }, { ...first });
      const second = await other.put("k", "second", first.version);
      assert.ok(second !== undefined, "another client's put over the version that is there must write");
      assert.deepEqual({ ...(await records.get("k")) }, { ...second });
      assert.equal(await records.put("k", "third", first.version), undefined, "put over an old version");
      assert.deepEqual(await allKeys(records), ["k"]);
      assert.equal(await records.delete("k", second.version), true);
      assert.equal(await other.get("k"), undefined);
    },
  },
  {
    name: "a count that several clients carry on loses no step",
    leaveOut: isAlone,
    timeoutMs: 60_000,
    async run({ records, another }) {
      const clients = [records, (await another?.()) ?? records, (await another?.()) ?? records];
      const counters = clients.map(async (client) => {
        for (let step = 0; step < 25; step += 1) await countUp(client, "k");
      });
      await settles("counting", Promise.all(counters), 50_000);
      for (const client of clients) assert.equal(await valueAt(client, "k"), clients.length * 25);
    },
  },
  {
    name: "a durable store has its records, with their versions, when it is opened again",
    leaveOut: ({ reopen }) => (reopen === undefined ? "the fixture does not open it again" : undefined),
    async run({ records, reopen }) {
      const written = [await create(records, "a", { n: 1 }), await create(records, "b", "text")];
      const gone = await create(records, "c", 1);
      await records.delete("c", gone.version);
      const again = await reopen?.();
      assert.ok(again !== undefined);
      for (const record of written) assert.deepEqual({ ...(await again.get(record.key)) }, { ...record });
      assert.deepEqual(await allKeys(again), ["a", "b"]);
      const next = await again.put("a", { n: 2 }, written[0]?.version ?? null);
      assert.ok(next !== undefined, "put over a version from before must write");
    },
  },
];
