import assert from "node:assert/strict";
import type { ObjectStore } from "../../contracts/object-store.ts";
import { assertBytes, inPieces, KIB, MIB, testBytes } from "../checks/bytes.ts";
import { rejectsWith } from "../checks/rejections.ts";
import { settles } from "../checks/waiting.ts";
import {
  allKeys,
  begin,
  type ObjectStoreFixture,
  type ObjectStoreTest,
  put,
  read,
  readText,
} from "./fixture.ts";

const isNotShared = ({ objects }: ObjectStoreFixture): string | undefined =>
  objects.capabilities.shared ? undefined : "it does not claim to be shared";

/** What outlives a process, and what several see. */
export const sharing: readonly ObjectStoreTest[] = [
  {
    name: "a durable store has its objects when it is opened again",
    leaveOut: ({ objects }) => (objects.capabilities.durable ? undefined : "it does not claim to be durable"),
    async run({ objects, reopen }) {
      assert.ok(reopen !== undefined, "it claims to be durable: give the fixture reopen(), to show it");
      const bytes = testBytes(2 * MIB, 13);
      await put(objects, "large", bytes);
      await put(objects, "a/small", "small");
      await put(objects, "gone", "x");
      await objects.delete(["gone"]);
      const again = await reopen();
      assert.deepEqual(await allKeys(again), ["a/small", "large"]);
      assertBytes((await read(again, "large")) ?? new Uint8Array(), bytes, "the object");
      assert.equal(await readText(again, "a/small"), "small");
    },
  },
  {
    name: "clients of one backend see what each of them puts, replaces and deletes",
    leaveOut: isNotShared,
    async run(fixture) {
      const [one, other] = await twoClients(fixture);
      await put(one, "k", "from one");
      for (const client of [one, other]) assert.equal(await readText(client, "k"), "from one");
      await put(other, "k", "from the other");
      for (const client of [one, other]) assert.equal(await readText(client, "k"), "from the other");
      await put(other, "l", "x");
      assert.deepEqual(await allKeys(one), ["k", "l"]);
      await one.delete(["k"]);
      assert.equal(await other.get("k"), undefined);
      assert.deepEqual(await allKeys(other), ["l"]);
    },
  },
  {
    name: "a reader reads to its end whatever another client does to the object",
    leaveOut: isNotShared,
    async run(fixture) {
      const [one, other] = await twoClients(fixture);
      const bytes = testBytes(4 * MIB, 14);
      for (const spoil of [() => put(other, "k", "new"), () => other.delete(["k"])]) {
        await put(one, "k", bytes);
        const found = await one.get("k");
        assert.ok(found !== undefined, "the object is missing");
        const { first, rest } = await begin(found.body);
        await spoil();
        const pieces = [first];
        for await (const piece of rest) pieces.push(piece.slice());
        assertBytes(Buffer.concat(pieces), bytes, "what the reader read");
      }
    },
  },
  {
    name: "of bodies that several clients put under one key at once, one is there, whole",
    leaveOut: isNotShared,
    async run(fixture) {
      const clients = await twoClients(fixture);
      const bodies = Array.from({ length: 6 }, (_, at) => new Uint8Array(200 * KIB + at).fill(at));
      const putting = bodies.map((body, at) => {
        return (clients[at % 2] as ObjectStore).put("k", inPieces(body, [50 * KIB]));
      });
      await settles("put", Promise.all(putting));
      for (const client of clients) {
        const bytes = (await read(client, "k")) ?? new Uint8Array();
        assertBytes(bytes, bodies[bytes[0] ?? 0] as Uint8Array, "the object, which is none of the bodies");
      }
    },
  },
  {
    name: "a store without room rejects with STORE_FULL, keeps what it has, and goes on when there is room",
    leaveOut: ({ small }) => (small === undefined ? "the fixture has no small store" : undefined),
    async run({ small }) {
      const objects = await small?.();
      if (objects === undefined) return;
      const kept = testBytes(50 * KIB, 15);
      await put(objects, "kept", kept);
      await rejectsWith("STORE_FULL", "a put of 12 MiB", () =>
        objects.put("large", inPieces(new Uint8Array(12 * MIB), [64 * KIB])),
      );
      assert.deepEqual(await allKeys(objects), ["kept"]);
      assertBytes((await read(objects, "kept")) ?? new Uint8Array(), kept, "what was there before");
      await objects.delete(["kept"]);
      await put(objects, "next", kept);
      assert.deepEqual(await allKeys(objects), ["next"]);
    },
  },
];

async function twoClients({ objects, another }: ObjectStoreFixture): Promise<[ObjectStore, ObjectStore]> {
  assert.ok(another !== undefined, "it claims to be shared: give the fixture another(), to show it");
  return [objects, await another()];
}
