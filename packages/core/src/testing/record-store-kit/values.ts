import assert from "node:assert/strict";
import type { JsonValue } from "../../contracts/record-store.ts";
import { rejectsWith } from "../checks/rejections.ts";
import { allRecords, create, type RecordStoreTest, valueAt } from "./fixture.ts";

/** Bytes of a value as JSON that must be kept. */
const MOST_BYTES = 262_144;

const VALUES: readonly JsonValue[] = [
  true,
  false,
  0,
  -1,
  1.5,
  -0.1,
  0.30000000000000004,
  9_007_199_254_740_991,
  -9_007_199_254_740_991,
  4_294_967_296,
  1_700_000_000_000,
  123_456_789_012_345_680_000,
  1e21,
  1.7976931348623157e308,
  5e-324,
  "",
  " ",
  "null",
  "0",
  "true",
  '"quoted" \\ back \\u0041 /',
  "line\nbreak\r\ttab\b\f",
  "\u0000 and \u0001 and \u007f",
  "\u2028\u2029\ufeff",
  "gr\u00fc\u00df dich, \u4e16\u754c, \u{1f600}, e\u0301 and \u00e9, \u202eright to left",
  "half of a pair: \ud83d",
  "it's; DROP TABLE records; -- %s $1 {{x}}",
  [],
  [[]],
  [null],
  [1, "1", true, null, [], {}],
  {},
  { a: 1, b: { c: [{ d: null }] } },
  { b: 1, a: 2, "10": 3, "9": 4 },
  { "": "empty", " ": "space", "a.b": 1, $set: 2, "a\u0000b": 3, "\u{1f600}": 4, __v: 5 },
  JSON.parse('{"__proto__":{"x":1},"constructor":2,"toString":3}') as JsonValue,
];

/** Values: every kind of JSON, exactly, up to 256 KiB. */
export const values: readonly RecordStoreTest[] = [
  {
    name: "a value of any kind of JSON comes back exactly",
    async run({ records }) {
      for (const [at, value] of VALUES.entries()) {
        const key = `value-${at}`;
        const written = await create(records, key, value);
        const expected = JSON.stringify(value);
        assert.equal(JSON.stringify(written.value), expected, "what put resolves");
        assert.equal(JSON.stringify(await valueAt(records, key)), expected, "what get resolves");
      }
      const listed = await allRecords(records, "value-");
      const expected = new Map(VALUES.map((value, at) => [`value-${at}`, JSON.stringify(value)]));
      const found = new Map(listed.map(({ key, value }) => [key, JSON.stringify(value)]));
      for (const [key, text] of expected) assert.equal(found.get(key), text, "what list resolves");
    },
  },
  {
    name: "a value may be nested deeply",
    async run({ records }) {
      let value: JsonValue = "the innermost";
      for (let level = 0; level < 300; level += 1) value = level % 2 === 0 ? [value] : { level: value };
      await create(records, "k", value);
      assert.equal(JSON.stringify(await valueAt(records, "k")), JSON.stringify(value));
    },
  },
  {
    name: "a record whose value is null is a record",
    async run({ records }) {
      const { version } = await create(records, "k", null);
      assert.deepEqual({ ...(await records.get("k")) }, { key: "k", value: null, version });
      assert.equal(await records.put("k", 1, null), undefined, "put that creates");
      assert.ok((await records.put("k", 1, version)) !== undefined, "put over the version");
    },
  },
  {
    name: "a value of 256 KiB as JSON is kept, and one byte more is refused with INVALID_REQUEST",
    async run({ records }) {
      // Two bytes are the quotes.
      const largest = "x".repeat(MOST_BYTES - 2);
      const { version } = await create(records, "k", largest);
      assert.equal(await valueAt(records, "k"), largest);
      const tooLarge = `${largest}x`;
      await rejectsWith("INVALID_REQUEST", "a put over the record", () =>
        records.put("k", tooLarge, version),
      );
      await rejectsWith("INVALID_REQUEST", "a put that creates", () => records.put("l", tooLarge, null));
      assert.equal(await valueAt(records, "k"), largest, "the record that was there");
      assert.equal(await records.get("l"), undefined);
    },
  },
  {
    name: "a value is measured in bytes, not in characters",
    async run({ records }) {
      const fits = "\u00e9".repeat(MOST_BYTES / 2 - 1);
      await create(records, "k", fits);
      assert.equal(await valueAt(records, "k"), fits);
      await rejectsWith("INVALID_REQUEST", "put", () => records.put("l", `${fits}\u00e9`, null));
    },
  },
  {
    name: "who changes a value that was written or read changes no record",
    async run({ records }) {
      const value = { list: [1] };
      const written = await create(records, "k", value);
      value.list.push(2);
      assert.deepEqual(await valueAt(records, "k"), { list: [1] }, "after the written value was changed");
      const given = [written, await records.get("k"), ...(await allRecords(records))];
      for (const record of given) {
        assert.ok(record !== undefined, "the record is missing");
        (record.value as { list: number[] }).list.push(3);
      }
      assert.deepEqual(await valueAt(records, "k"), { list: [1] }, "after the values read were changed");
    },
  },
];
