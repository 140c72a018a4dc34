import assert from "node:assert/strict";
import type { DiscoveryChange } from "../../contracts/discovery.ts";
import { leaveNoListener, rejectWhenAborted } from "../checks/rejections.ts";
import { pause, settles, until } from "../checks/waiting.ts";
import { type DiscoveryTest, Watcher } from "./fixture.ts";

/** Watching: a snapshot, then every change, until it is stopped. */
export const watching: readonly DiscoveryTest[] = [
  {
    name: "watch tells a snapshot before it resolves, and nothing before that",
    async run({ discovery, add }) {
      await add("m");
      const changes: DiscoveryChange[] = [];
      await settles(
        "watch",
        discovery.watch((change) => changes.push(change)),
      );
      assert.equal(changes[0]?.kind, "snapshot", "what was told by the time that watch resolved");
    },
  },
  {
    name: "the snapshot holds the servers that were there before",
    async run({ discovery, add }) {
      const ids = [await add("m"), await add("n")];
      await settles("refresh", discovery.refresh());
      const { changes } = await Watcher.of(discovery);
      const [snapshot] = changes;
      assert.ok(snapshot?.kind === "snapshot", "the first thing told must be a snapshot");
      assert.deepEqual(snapshot.servers.map(({ id }) => id).sort(), ids.toSorted());
    },
  },
  {
    name: "a second watcher is given a snapshot of its own, and the first one no other",
    async run({ discovery, add }) {
      const id = await add("m");
      const first = await Watcher.of(discovery);
      await first.sees(id, "ready");
      const second = await Watcher.of(discovery);
      assert.equal(second.changes[0]?.kind, "snapshot", "the first thing that the second watcher was told");
      assert.deepEqual([...second.known.keys()], [id], "the servers that the second watcher knows");
      await pause();
      assert.equal(first.snapshots, 1, "snapshots that the first watcher was told");
    },
  },
  {
    name: "every watcher is told every change, in one order",
    async run({ discovery, add, remove }) {
      const watchers = [await Watcher.of(discovery), await Watcher.of(discovery)] as const;
      const ids = [await add("a"), await add("b"), await add("c")];
      for (const watcher of watchers) for (const id of ids) await watcher.sees(id, "ready");
      for (const id of ids.slice(0, 2)) await remove(id);
      for (const watcher of watchers) for (const id of ids.slice(0, 2)) await watcher.misses(id);
      const [one, other] = watchers.map(({ changes }) => JSON.stringify(changes.slice(1)));
      assert.equal(one, other, "what the two watchers were told after their snapshots");
    },
  },
  {
    name: "what changes while watch is called is not missed",
    async run({ discovery, add, remove }) {
      for (let round = 0; round < 5; round += 1) {
        const gone = await add(`gone-${round}`);
        await settles("refresh", discovery.refresh());
        const [watcher, id] = await Promise.all([Watcher.of(discovery), add(`new-${round}`), remove(gone)]);
        await watcher.sees(id, "ready");
        await watcher.misses(gone);
        watcher.stop();
      }
    },
  },
  {
    name: "a watcher that was stopped is told nothing more, and the others are",
    async run({ discovery, add }) {
      const stopped = await Watcher.of(discovery);
      const going = await Watcher.of(discovery);
      const before = await add("before");
      await Promise.all([stopped.sees(before, "ready"), going.sees(before, "ready")]);
      stopped.stop();
      stopped.stop();
      const told = stopped.changes.length;
      await going.sees(await add("after"), "ready");
      await pause();
      assert.equal(stopped.changes.length, told, "changes that the stopped watcher was told");
    },
  },
  {
    name: "a listener that watches twice is told until both watches are stopped",
    async run({ discovery, add }) {
      const watcher = new Watcher();
      const stop = await discovery.watch(watcher.listener);
      await discovery.watch(watcher.listener);
      stop();
      stop();
      await watcher.sees(await add("m"), "ready");
    },
  },
  {
    name: "a listener that throws harms no other watcher",
    async run({ discovery, add, remove }) {
      await discovery.watch(() => {
        throw new Error("a listener must not throw; this one does");
      });
      const watcher = await Watcher.of(discovery);
      const id = await add("m");
      await watcher.sees(id, "ready");
      await remove(id);
      await watcher.misses(id);
    },
  },
  {
    name: "after close, nothing is told",
    async run({ discovery, add }) {
      const watcher = await Watcher.of(discovery);
      await watcher.sees(await add("m"), "ready");
      await settles("close", discovery.close());
      const told = watcher.changes.length;
      // Where the fixture's world is the discovery itself, it cannot change any more.
      await add("n").catch(() => {});
      await pause();
      assert.equal(watcher.changes.length, told, "changes told after close");
    },
  },
  {
    name: "refresh resolves when the news have been told",
    async run({ discovery, add, setReady }) {
      const watcher = await Watcher.of(discovery);
      const id = await add("m");
      await settles("refresh", discovery.refresh());
      assert.ok(watcher.known.has(id), "a new server, when refresh resolved");
      await watcher.sees(id, "ready");
      if (setReady === undefined) return;
      await setReady(id, false);
      await watcher.sees(id, "unhealthy");
      await setReady(id, true);
      await settles("refresh", discovery.refresh());
      assert.equal(watcher.stateOf(id), "ready", "the state, when refresh resolved");
    },
  },
  {
    name: "refresh may be called by many at once, and before anybody watches",
    async run({ discovery, add }) {
      const id = await add("m");
      await settles("refresh", Promise.all(Array.from({ length: 10 }, () => discovery.refresh())));
      const watcher = await Watcher.of(discovery);
      await until("it is known", () => watcher.known.has(id));
    },
  },
  {
    name: "a signal that was aborted before makes watch and refresh reject with its reason, and tells nothing",
    async run({ discovery, add }) {
      await add("m");
      const watcher = new Watcher();
      await rejectWhenAborted({
        watch: (options) => discovery.watch(watcher.listener, options),
        refresh: (options) => discovery.refresh(options),
      });
      await settles("refresh", discovery.refresh());
      assert.equal(watcher.changes.length, 0, "changes told to who had given up");
    },
  },
  {
    name: "a call that is over has left no listener on the caller's signal",
    async run({ discovery }) {
      await leaveNoListener({
        watch: (options) => discovery.watch(() => {}, options),
        refresh: (options) => discovery.refresh(options),
      });
    },
  },
];
