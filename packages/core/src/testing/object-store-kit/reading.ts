import assert from "node:assert/strict";
import { assertBytes, bodyOf, KIB, MIB, readAll, testBytes } from "../checks/bytes.ts";
import { heldBytes } from "../checks/held-memory.ts";
import { rejectsWith } from "../checks/rejections.ts";
import { pause, settles, until } from "../checks/waiting.ts";
import { allKeys, begin, type ObjectStoreTest, put, read, readText } from "./fixture.ts";

const LARGE_PIECES = 48;
const MOST_HELD_BYTES = 32 * MIB;
/** More than a pool of connections has. */
const MANY_READERS = 150;

/** Getting: whole objects and ranges of them. */
export const reading: readonly ObjectStoreTest[] = [
  {
    name: "get and stat of a key that is not there resolve undefined",
    async run({ objects }) {
      await put(objects, "a/b", "x");
      for (const key of ["a", "a/b/c", "a/bb", "b"]) {
        assert.equal(await objects.get(key), undefined, `get(${key})`);
        assert.equal(await objects.stat(key), undefined, `stat(${key})`);
      }
    },
  },
  {
    name: "get, stat and list tell the same of an object",
    async run({ objects }) {
      await put(objects, "k", "a body");
      const found = await objects.get("k");
      assert.ok(found !== undefined, "the object is missing");
      const { body, ...got } = found;
      await readAll(body);
      const stat = await objects.stat("k");
      assert.deepEqual({ key: stat?.key, sizeBytes: stat?.sizeBytes }, { key: "k", sizeBytes: 6 });
      assert.deepEqual({ ...got }, { ...stat }, "get and stat");
      assert.deepEqual({ ...(await objects.list("")).items[0] }, { ...stat }, "list and stat");
    },
  },
  {
    name: "a body that was read to its end stays at its end",
    async run({ objects }) {
      await put(objects, "k", "a body");
      const iterator = (await objects.get("k"))?.body[Symbol.asyncIterator]();
      assert.ok(iterator !== undefined, "the object is missing");
      while (!(await iterator.next()).done);
      assert.equal((await settles("next after the end", iterator.next())).done, true);
    },
  },
  {
    name: "each get has a body of its own, read at its own pace",
    async run({ objects }) {
      const bytes = testBytes(2 * MIB, 6);
      await put(objects, "k", bytes);
      const found = await Promise.all([objects.get("k"), objects.get("k")]);
      const [one, other] = await Promise.all(
        found.map(async (object) => {
          assert.ok(object !== undefined, "the object is missing");
          return await begin(object.body);
        }),
      );
      for (const reader of [other, one]) {
        const pieces = [reader?.first ?? new Uint8Array()];
        for await (const piece of reader?.rest ?? []) pieces.push(piece.slice());
        assertBytes(Buffer.concat(pieces), bytes, "what a reader read");
      }
    },
  },
  {
    name: "a piece that was read stays as it is while the next ones are read",
    async run({ objects }) {
      const bytes = testBytes(3 * MIB, 7);
      await put(objects, "k", bytes);
      const pieces: Uint8Array[] = [];
      for await (const piece of (await objects.get("k"))?.body ?? []) pieces.push(piece);
      assertBytes(Buffer.concat(pieces), bytes, "the pieces, after the last one was read");
    },
  },
  {
    name: "a reader that writes into its pieces changes nothing of the object",
    async run({ objects }) {
      const bytes = testBytes(100 * KIB, 8);
      await put(objects, "k", bytes);
      for await (const piece of (await objects.get("k"))?.body ?? []) piece.fill(0);
      assertBytes((await read(objects, "k")) ?? new Uint8Array(), bytes, "the object");
    },
  },
  {
    name: "a body is read at its reader's pace: while the reader pauses, a part of it is held",
    timeoutMs: 60_000,
    async run({ objects }) {
      const piece = new Uint8Array(MIB);
      await objects.put("k", bodyOf(...Array.from({ length: LARGE_PIECES }, () => piece)));
      const before = await heldBytes();
      const found = await objects.get("k");
      assert.ok(found !== undefined, "the object is missing");
      const { rest } = await begin(found.body);
      await pause();
      const held = (await heldBytes()) - before;
      await rest.return?.();
      assert.ok(held < MOST_HELD_BYTES, `it held ${held} of ${LARGE_PIECES * MIB} bytes`);
    },
  },
  {
    name: "a body that is returned early is over, and frees what it held",
    async run({ objects, held }) {
      await put(objects, "k", testBytes(MIB));
      for (let at = 0; at < MANY_READERS; at += 1) {
        const iterator = (await settles("get", objects.get("k")))?.body[Symbol.asyncIterator]();
        assert.ok(iterator !== undefined, "the object is missing");
        // Every other one is given back before anything was read.
        if (at % 2 === 0) await iterator.next();
        assert.ok(iterator.return !== undefined, "a body must have a return()");
        await settles("return", iterator.return());
        assert.equal((await settles("next after return", iterator.next())).done, true);
      }
      if (held !== undefined) await until("nothing is held", async () => (await held()) === 0);
    },
  },
  {
    name: "a body that was read to its end holds nothing",
    leaveOut: ({ held }) => (held === undefined ? "the fixture does not count what is held" : undefined),
    async run({ objects, held }) {
      await put(objects, "k", testBytes(MIB));
      await read(objects, "k");
      await read(objects, "k", { start: 5, end: 10 });
      await until("nothing is held", async () => (await held?.()) === 0);
    },
  },
  {
    name: "an object that was taken away may be put again",
    async run({ objects }) {
      await put(objects, "k", "first");
      await objects.delete(["k"]);
      await put(objects, "k", "second");
      assert.equal(await readText(objects, "k"), "second");
      assert.deepEqual(await allKeys(objects), ["k"]);
    },
  },
  {
    name: "presign rejects with UNSUPPORTED where it is not claimed",
    leaveOut: ({ objects }) => (objects.capabilities.presign ? "it claims presign" : undefined),
    async run({ objects }) {
      await put(objects, "k", "x");
      await rejectsWith("UNSUPPORTED", "presign", () => objects.presign("k", 60_000));
    },
  },
  {
    name: "presign gives an address that anybody may read until it expires",
    leaveOut: ({ objects }) => (objects.capabilities.presign ? undefined : "it does not claim presign"),
    async run({ objects }) {
      const bytes = testBytes(100 * KIB, 9);
      await put(objects, "k", bytes);
      const address = await objects.presign("k", 2000);
      const answer = await settles("fetch", fetch(address));
      assert.equal(answer.status, 200, "the status of the address");
      assertBytes(new Uint8Array(await answer.arrayBuffer()), bytes, "what the address gives");
      const isOver = async (): Promise<boolean> => {
        const later = await fetch(address);
        await later.arrayBuffer();
        return !later.ok;
      };
      await until("the address has expired", isOver);
    },
  },
];
