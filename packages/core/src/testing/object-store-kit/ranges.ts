import assert from "node:assert/strict";
import { assertBytes, MIB, readAll, testBytes } from "../checks/bytes.ts";
import { rejectsWith } from "../checks/rejections.ts";
import { type ObjectStoreTest, put, read, readText } from "./fixture.ts";

const DIGITS = "0123456789";

/** Ranges: both ends inclusive, counted from 0. */
export const ranges: readonly ObjectStoreTest[] = [
  {
    name: "a range has both its ends, whichever they are",
    async run({ objects }) {
      await put(objects, "k", DIGITS);
      for (let start = 0; start < DIGITS.length; start += 1) {
        for (let end = start; end < DIGITS.length; end += 1) {
          const expected = DIGITS.slice(start, end + 1);
          assert.equal(await readText(objects, "k", { start, end }), expected, `bytes ${start} to ${end}`);
        }
      }
    },
  },
  {
    name: "a range without an end goes to the last byte",
    async run({ objects }) {
      await put(objects, "k", DIGITS);
      for (const start of [0, 4, 9]) {
        assert.equal(await readText(objects, "k", { start }), DIGITS.slice(start), `from byte ${start}`);
      }
    },
  },
  {
    name: "a range may end beyond the last byte, and is cut there",
    async run({ objects }) {
      await put(objects, "k", DIGITS);
      for (const end of [10, 11, 4_000_000_000, Number.MAX_SAFE_INTEGER]) {
        assert.equal(await readText(objects, "k", { start: 7, end }), "789", `bytes 7 to ${end}`);
        assert.equal(await readText(objects, "k", { start: 0, end }), DIGITS, `bytes 0 to ${end}`);
      }
    },
  },
  {
    name: "a range of a large object is exact, wherever its ends lie",
    async run({ objects }) {
      const bytes = testBytes(3 * MIB, 10);
      await put(objects, "k", bytes);
      for (const [start, end] of [
        [0, 0],
        [65_535, 65_536],
        [65_535, 2 * MIB + 3],
        [MIB - 1, MIB],
        [1, 3 * MIB - 2],
        [3 * MIB - 1, 3 * MIB - 1],
      ] as const) {
        const found = (await read(objects, "k", { start, end })) ?? new Uint8Array();
        assertBytes(found, bytes.subarray(start, end + 1), `bytes ${start} to ${end}`);
      }
    },
  },
  {
    name: "who reads a range is told the size of the whole object",
    async run({ objects }) {
      await put(objects, "k", DIGITS);
      const found = await objects.get("k", { range: { start: 2, end: 3 } });
      assert.ok(found !== undefined, "the object is missing");
      await readAll(found.body);
      assert.equal(found.sizeBytes, DIGITS.length);
    },
  },
  {
    name: "a range that begins beyond the last byte is refused with INVALID_REQUEST",
    async run({ objects }) {
      await put(objects, "k", DIGITS);
      for (const range of [
        { start: 10 },
        { start: 10, end: 10 },
        { start: 4_000_000_000, end: 5_000_000_000 },
      ]) {
        await rejectsWith("INVALID_REQUEST", `get from ${range.start}`, () => objects.get("k", { range }));
      }
    },
  },
  {
    name: "an object of no bytes has no range",
    async run({ objects }) {
      await put(objects, "k");
      for (const range of [{ start: 0 }, { start: 0, end: 0 }]) {
        await rejectsWith("INVALID_REQUEST", "get from 0", () => objects.get("k", { range }));
      }
    },
  },
  {
    name: "a range that is none is refused with INVALID_REQUEST",
    async run({ objects }) {
      await put(objects, "k", DIGITS);
      for (const range of [{ start: -1 }, { start: 5, end: 4 }, { start: 0.5 }, { start: Number.NaN }]) {
        const what = `get from ${range.start} to ${range.end}`;
        await rejectsWith("INVALID_REQUEST", what, () => objects.get("k", { range }));
      }
    },
  },
  {
    name: "a range of what is not there is undefined",
    async run({ objects }) {
      assert.equal(await objects.get("k", { range: { start: 3 } }), undefined);
    },
  },
];
