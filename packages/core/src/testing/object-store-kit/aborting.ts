import assert from "node:assert/strict";
import type { OperationOptions } from "../../contracts/common.ts";
import type { ObjectStore } from "../../contracts/object-store.ts";
import { bodyOf, KIB, MIB, readAll, testBytes } from "../checks/bytes.ts";
import { HandFedBody } from "../checks/hand-fed-body.ts";
import { leaveNoListener, nameOf, rejectionOf, rejectWhenAborted } from "../checks/rejections.ts";
import { settles, until } from "../checks/waiting.ts";
import { allKeys, begin, type ObjectStoreTest, put, readText } from "./fixture.ts";

/** Signals: an abort ends the wait, and leaves nothing half done. */
export const aborting: readonly ObjectStoreTest[] = [
  {
    name: "a signal that was aborted before makes every method reject with its reason, and nothing happens",
    async run({ objects }) {
      await put(objects, "k", "kept");
      await rejectWhenAborted(callsOf(objects));
      assert.deepEqual(await allKeys(objects), ["k"]);
      assert.equal(await readText(objects, "k"), "kept");
    },
  },
  {
    name: "an abort ends a put whose source has stalled, lets the source go and leaves nothing",
    async run({ objects, held }) {
      await put(objects, "old", "kept");
      for (const key of ["old", "new"]) {
        const controller = new AbortController();
        const reason = new Error(`enough of ${key}`);
        const body = new HandFedBody();
        const putting = rejectionOf("put", () => objects.put(key, body, { signal: controller.signal }));
        body.give(testBytes(300 * KIB));
        await until("put asks for more", () => body.isAwaited);
        controller.abort(reason);
        assert.equal(await putting, reason, "what put rejects with is signal.reason itself");
        await until("put lets its source go by return()", () => body.isReturned);
      }
      assert.deepEqual(await allKeys(objects), ["old"]);
      assert.equal(await readText(objects, "old"), "kept");
      if (held !== undefined) await until("nothing is held", async () => (await held()) === 0);
    },
  },
  {
    name: "an abort ends a body that is being read, with its reason",
    async run({ objects, held }) {
      await put(objects, "k", testBytes(4 * MIB, 12));
      const controller = new AbortController();
      const reason = new Error("enough");
      const found = await objects.get("k", { signal: controller.signal });
      assert.ok(found !== undefined, "the object is missing");
      const { rest } = await begin(found.body);
      controller.abort(reason);
      const error = await rejectionOf("reading on", () => readAll(rest));
      assert.equal(error, reason, `reading on must throw signal.reason itself, not ${nameOf(error)}`);
      if (held !== undefined) await until("nothing is held", async () => (await held()) === 0);
    },
  },
  {
    name: "a call that is over has left no listener on the caller's signal",
    async run({ objects }) {
      await put(objects, "k", "x");
      await leaveNoListener(callsOf(objects));
    },
  },
  {
    name: "closing ends a put that is under way: it resolves or rejects with CLOSED, and nothing is half there",
    async run({ objects, reopen }) {
      const body = new HandFedBody();
      const putting = objects.put("k", body).then(
        () => "stored",
        (error: unknown) => nameOf(error),
      );
      body.give(testBytes(300 * KIB));
      await until("put asks for more", () => body.isAwaited);
      const closing = objects.close();
      body.give("end");
      const outcome = await settles("the put", putting);
      await settles("close", closing);
      assert.match(outcome, /^(stored|CLOSED)/, "what became of the put");
      if (reopen === undefined) return;
      const sizeBytes = (await (await reopen()).stat("k"))?.sizeBytes;
      assert.equal(sizeBytes, outcome === "stored" ? 300 * KIB : undefined, "the size of what was stored");
    },
  },
];

function callsOf(objects: ObjectStore): Record<string, (options: OperationOptions) => Promise<unknown>> {
  return {
    put: (options) => objects.put("other", bodyOf("x"), options),
    get: async (options) => {
      const found = await objects.get("k", options);
      return found && (await readAll(found.body));
    },
    stat: (options) => objects.stat("k", options),
    list: (options) => objects.list("", undefined, options),
    delete: (options) => objects.delete(["k"], options),
    ...(objects.capabilities.presign
      ? { presign: (options: OperationOptions) => objects.presign("k", 60_000, options) }
      : {}),
  };
}
