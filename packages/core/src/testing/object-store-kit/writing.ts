import assert from "node:assert/strict";
import type { ByteStream } from "../../contracts/common.ts";
import { assertBytes, bodyOf, inPieces, KIB, MIB, testBytes } from "../checks/bytes.ts";
import { HandFedBody } from "../checks/hand-fed-body.ts";
import { heldBytes } from "../checks/held-memory.ts";
import { rejectionOf } from "../checks/rejections.ts";
import { settles, until } from "../checks/waiting.ts";
import { allKeys, begin, type ObjectStoreTest, put, read, readText } from "./fixture.ts";

const LARGE_PIECES = 48;
/** What several parts of an upload that are on their way at once may take, with room to spare. */
const MOST_HELD_BYTES = 32 * MIB;

/** Putting: whole bodies, in whatever pieces. */
export const writing: readonly ObjectStoreTest[] = [
  {
    name: "put resolves the key, the size and the time of what it stored",
    async run({ objects }) {
      const stat = await objects.put("k", bodyOf("one", "two"));
      assert.equal(stat.key, "k");
      assert.equal(stat.sizeBytes, 6);
      const isMilliseconds = Math.abs(stat.modifiedAtMs - Date.now()) < 86_400_000;
      assert.ok(
        isMilliseconds,
        `modifiedAtMs is ${stat.modifiedAtMs}, which is not about now in milliseconds`,
      );
    },
  },
  {
    name: "every byte comes back as it was put",
    async run({ objects }) {
      const bytes = testBytes(70_000);
      await put(objects, "k", bytes);
      assertBytes((await read(objects, "k")) ?? new Uint8Array(), bytes, "the object");
    },
  },
  {
    name: "a body of no bytes is an object of no bytes",
    async run({ objects }) {
      assert.equal((await objects.put("none", bodyOf())).sizeBytes, 0);
      assert.equal((await objects.put("empty", bodyOf(new Uint8Array()))).sizeBytes, 0);
      for (const key of ["none", "empty"]) {
        assert.equal((await read(objects, key))?.byteLength, 0, `the bytes of ${key}`);
        assert.equal((await objects.stat(key))?.sizeBytes, 0, `the size of ${key}`);
      }
    },
  },
  {
    name: "a body may come in thousands of tiny pieces, empty ones among them",
    async run({ objects }) {
      const bytes = testBytes(20_000, 2);
      const stat = await objects.put("k", inPiecesAndNothing(bytes));
      assert.equal(stat.sizeBytes, bytes.byteLength);
      assertBytes((await read(objects, "k")) ?? new Uint8Array(), bytes, "the object");
    },
  },
  {
    name: "a body may come in pieces of several MiB",
    async run({ objects }) {
      const bytes = testBytes(9 * MIB + 17, 3);
      await objects.put("k", inPieces(bytes, [3 * MIB + 1, 5 * MIB, 1]));
      assertBytes((await read(objects, "k")) ?? new Uint8Array(), bytes, "the object");
    },
  },
  {
    name: "a source may use its buffer again for the next piece",
    async run({ objects }) {
      const bytes = testBytes(3 * MIB, 4);
      await objects.put("k", reusing(bytes, 100 * KIB));
      assertBytes((await read(objects, "k")) ?? new Uint8Array(), bytes, "the object");
    },
  },
  {
    name: "put asks its source for one piece at a time",
    async run({ objects }) {
      const body = new HandFedBody();
      const putting = objects.put("k", body);
      for (const piece of ["a", "b", "c"]) {
        await until("put asks for a piece", () => body.isAwaited);
        body.give(new TextEncoder().encode(piece));
      }
      await until("put asks for a piece", () => body.isAwaited);
      body.give("end");
      assert.equal((await settles("put", putting)).sizeBytes, 3);
      assert.ok(!body.wasHurried, "it asked for the next piece before it had the last one");
    },
  },
  {
    name: "put holds a part of a large body at a time, never all of it",
    leaveOut: ({ objects }) => (objects.capabilities.durable ? undefined : "it keeps its objects in memory"),
    timeoutMs: 60_000,
    async run({ objects }) {
      const before = await heldBytes();
      let held = 0;
      const body = async function* (): ByteStream {
        const piece = new Uint8Array(MIB);
        for (let at = 0; at < LARGE_PIECES; at += 1) {
          piece.fill(at);
          yield piece;
        }
        held = (await heldBytes()) - before;
      };
      await objects.put("k", body());
      assert.ok(held < MOST_HELD_BYTES, `it held ${held} of ${LARGE_PIECES * MIB} bytes`);
      assert.equal((await objects.stat("k"))?.sizeBytes, LARGE_PIECES * MIB);
    },
  },
  {
    name: "a body that throws leaves no object, and put rejects with what it threw",
    async run({ objects }) {
      const failure = new Error("the sender hung up");
      for (const [key, body] of [
        ["at-once", failing(failure)],
        ["later", failing(failure, testBytes(300 * KIB), "more")],
      ] as const) {
        assert.equal(
          await rejectionOf("put", () => objects.put(key, body)),
          failure,
          "what put rejects with",
        );
        assert.equal(await objects.get(key), undefined, `get(${key})`);
        assert.equal(await objects.stat(key), undefined, `stat(${key})`);
      }
      assert.deepEqual(await allKeys(objects), []);
    },
  },
  {
    name: "a body that throws leaves the object that it was to replace",
    async run({ objects }) {
      await put(objects, "k", "first");
      await rejectionOf("put", () => objects.put("k", failing(new Error("broke off"), "seco")));
      assert.equal(await readText(objects, "k"), "first");
    },
  },
  {
    name: "nothing of a body is to be seen before all of it is there",
    async run({ objects }) {
      await put(objects, "old", "before");
      const bodies = [new HandFedBody(), new HandFedBody()] as const;
      const putting = Promise.all([objects.put("old", bodies[0]), objects.put("new", bodies[1])]);
      for (const body of bodies) {
        body.give(testBytes(MIB));
        await until("put asks for more", () => body.isAwaited);
      }
      assert.equal(await readText(objects, "old"), "before", "the object that is being replaced");
      assert.equal(await objects.get("new"), undefined, "get of an object that is being put");
      assert.equal(await objects.stat("new"), undefined, "stat of an object that is being put");
      assert.deepEqual(await allKeys(objects), ["old"], "the list");
      for (const body of bodies) body.give("end");
      await settles("put", putting);
      assert.deepEqual(await allKeys(objects), ["new", "old"], "the list afterwards");
    },
  },
  {
    name: "the same key again replaces the object whole",
    async run({ objects }) {
      await put(objects, "k", "a long body");
      await put(objects, "k", "short");
      assert.equal(await readText(objects, "k"), "short");
      await put(objects, "k", "a longer one again");
      assert.equal(await readText(objects, "k"), "a longer one again");
      assert.equal((await objects.stat("k"))?.sizeBytes, 18);
      assert.deepEqual(await allKeys(objects), ["k"]);
    },
  },
  {
    name: "a reader that has begun reads the old object to its end while it is replaced",
    async run({ objects }) {
      const bytes = testBytes(4 * MIB, 5);
      await put(objects, "k", bytes);
      const found = await objects.get("k");
      assert.ok(found !== undefined, "the object is missing");
      const { first, rest } = await begin(found.body);
      await put(objects, "k", "new");
      assert.equal(await readText(objects, "k"), "new", "what a new reader reads");
      assertBytes(Buffer.concat([first, await collect(rest)]), bytes, "what the old reader read");
    },
  },
  {
    name: "of bodies that are put under one key at once, one is there, whole",
    async run({ objects }) {
      const bodies = Array.from({ length: 8 }, (_, at) => new Uint8Array(200 * KIB + at).fill(at));
      const stats = await settles(
        "put",
        Promise.all(bodies.map((body) => objects.put("k", inPieces(body, [30 * KIB])))),
      );
      assert.deepEqual(
        stats.map(({ sizeBytes }) => sizeBytes),
        bodies.map(({ byteLength }) => byteLength),
        "each put resolves the size of its own body",
      );
      const bytes = (await read(objects, "k")) ?? new Uint8Array();
      const winner = bodies[bytes[0] ?? 0] as Uint8Array;
      assertBytes(bytes, winner, "the object, which is none of the bodies");
    },
  },
];

async function* inPiecesAndNothing(bytes: Uint8Array): ByteStream {
  for await (const piece of inPieces(bytes, [1, 7, 2, 3])) {
    yield piece;
    if (piece.byteLength === 7) yield new Uint8Array();
  }
}

async function* reusing(bytes: Uint8Array, sizeBytes: number): ByteStream {
  const own = new Uint8Array(sizeBytes);
  for (let at = 0; at < bytes.byteLength; at += sizeBytes) {
    const piece = bytes.subarray(at, at + sizeBytes);
    own.set(piece);
    yield own.subarray(0, piece.byteLength);
    own.fill(0);
  }
}

async function* failing(error: unknown, ...pieces: (Uint8Array | string)[]): ByteStream {
  yield* bodyOf(...pieces);
  throw error;
}

async function collect(body: ByteStream): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}
