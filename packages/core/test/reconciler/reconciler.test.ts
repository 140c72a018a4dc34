import { describe, expect, it } from "vitest";
import type { LedgerStats, SweepReply, SweepRequest } from "../../src/contracts/ledger.ts";
import type { TaskRecord } from "../../src/contracts/task.ts";
import { createReconciler, type ReconcilerOptions } from "../../src/reconciler/reconciler.ts";
import { ManualClock, settled } from "../discovery/manual-clock.ts";

const NO_SERVER_MS = 60_000;

function open(parts: Partial<ReconcilerOptions> = {}) {
  const clock = new ManualClock();
  const sweeps: SweepRequest[] = [];
  const sweptAtMs: number[] = [];
  const replies: (Partial<SweepReply> | Error)[] = [];
  const deleted: (readonly string[])[] = [];
  const told: string[] = [];
  const servers = new Set<string>();
  const state = { lanes: [] as string[], statsAsked: 0, statsFail: false, deletesFail: false };
  const reconciler = createReconciler({
    clock,
    ledger: {
      async sweep(request): Promise<SweepReply> {
        sweeps.push(request);
        sweptAtMs.push(clock.now());
        const reply = replies.shift() ?? {};
        if (reply instanceof Error) throw reply;
        return { returned: [], ended: [], unreferencedKeys: [], more: false, ...reply };
      },
      async stats(): Promise<LedgerStats> {
        state.statsAsked += 1;
        if (state.statsFail) throw new Error("no stats");
        const lanes = state.lanes.map((model) => ({ model, waiting: 1, waitingBytes: 0 }));
        return { lanes, scheduled: 0, running: 0 };
      },
    },
    objects: {
      async delete(keys) {
        if (state.deletesFail) throw new Error("no deletes");
        deleted.push(keys);
      },
    },
    random: () => 0.5,
    noServerMs: NO_SERVER_MS,
    hasServer: (model) => servers.has(model),
    onEnded: (tasks) => told.push(`ended ${tasks.map(({ id }) => id)}`),
    onReturned: (tasks) => told.push(`returned ${tasks.map(({ id }) => id)}`),
    onError: (operation, error) => told.push(`${operation}: ${(error as Error).message}`),
    ...parts,
  });
  return { clock, sweeps, sweptAtMs, replies, deleted, told, servers, state, reconciler };
}

const task = (id: string): TaskRecord => ({ id }) as TaskRecord;

describe("the rounds", () => {
  it("come at every interval, give or take a fifth, until they are stopped", async () => {
    const rolls = [0, 0.999, 0.5];
    const { clock, sweptAtMs, reconciler } = open({ random: () => rolls.shift() ?? 0.5 });
    reconciler.start();
    reconciler.start();
    await clock.advance(5000);
    expect(sweptAtMs.map(Math.round)).toEqual([800, 2000, 3000, 4000, 5000]);
    await reconciler.stop();
    await reconciler.stop();
    await clock.advance(5000);
    expect([sweptAtMs.length, clock.pending]).toEqual([5, 0]);
    reconciler.start();
    await clock.advance(1000);
    expect(sweptAtMs).toHaveLength(6);
  });

  it("never overlap, and stop waits for the one under way", async () => {
    let finish = (): void => {};
    let sweeps = 0;
    const reply: SweepReply = { returned: [], ended: [], unreferencedKeys: [], more: true };
    const parts = open({
      ledger: {
        sweep: () => {
          sweeps += 1;
          return new Promise((resolve) => {
            finish = () => resolve(reply);
          });
        },
        stats: async () => ({ lanes: [], scheduled: 0, running: 0 }),
      },
    });
    parts.reconciler.start();
    await parts.clock.advance(5000);
    void parts.reconciler.runOnce();
    await settled();
    expect(sweeps).toBe(1);
    let isStopped = false;
    const stopping = parts.reconciler.stop().then(() => {
      isStopped = true;
    });
    await settled();
    expect(isStopped).toBe(false);
    finish();
    await stopping;
    // There was more to sweep, but nobody waits for it.
    expect([sweeps, parts.clock.pending]).toEqual([1, 0]);
  });

  it("sweep again while there is more, within bounds", async () => {
    const { replies, sweeps, told, reconciler } = open();
    replies.push({ more: true, ended: [task("a")] }, { more: true, returned: [task("b"), task("c")] }, {});
    await reconciler.runOnce();
    expect([sweeps.length, told]).toEqual([3, ["ended a", "returned b,c"]]);
    replies.push(...Array.from({ length: 100 }, () => ({ more: true })));
    await reconciler.runOnce();
    expect(sweeps).toHaveLength(23);
  });

  it("hand on limit and retention", async () => {
    const retention = { payloadMs: 1, resultMs: 2, rowMs: 3 };
    const { sweeps, reconciler } = open({ limit: 7, retention });
    await reconciler.runOnce();
    expect(sweeps).toEqual([{ limit: 7, retention, unserved: [] }]);
  });
});

describe("lanes whose server could not be started", () => {
  it("are asked for before each sweep, and handed on", async () => {
    const lanes = ["a", "b", "c"].map((model) => {
      return { model, error: { code: "START_FAILED", message: `${model} did not start.` } };
    });
    let asked = 0;
    const { sweeps, replies, reconciler } = open({ failing: () => lanes.slice(0, asked++) });
    replies.push({ more: true }, { more: true });
    await reconciler.runOnce();
    expect(sweeps.map(({ failing }) => failing)).toEqual([[], lanes.slice(0, 1), lanes.slice(0, 2)]);
  });

  it("may be unknown for once", async () => {
    const { sweeps, told, reconciler } = open({
      failing: () => {
        if (told.length === 0) throw new Error("nobody knows");
        return [];
      },
    });
    await reconciler.runOnce();
    await reconciler.runOnce();
    expect([told, sweeps.length]).toEqual([["sweep: nobody knows"], 1]);
  });
});

describe("failures", () => {
  it("are reported, and the next round tries again", async () => {
    const { clock, replies, sweeps, told, state, reconciler } = open();
    state.statsFail = true;
    replies.push(new Error("no sweep"));
    reconciler.start();
    await clock.advance(1000);
    expect([sweeps.length, told]).toEqual([1, ["stats: no stats", "sweep: no sweep"]]);
    state.statsFail = false;
    await clock.advance(1000);
    expect([sweeps.length, state.statsAsked, told.length]).toEqual([2, 2, 2]);
  });

  it("to delete objects keep the keys for the next round", async () => {
    const { replies, deleted, told, state, reconciler } = open();
    state.deletesFail = true;
    replies.push({ unreferencedKeys: ["a"], more: true }, { unreferencedKeys: ["b"] });
    await reconciler.runOnce();
    expect(told).toEqual(["forget-objects: no deletes"]);
    state.deletesFail = false;
    replies.push({ unreferencedKeys: ["c"] });
    await reconciler.runOnce();
    expect(deleted).toEqual([["a", "b"], ["c"]]);
  });

  it("of listeners harm nothing", async () => {
    const errors: string[] = [];
    const { replies, deleted, reconciler } = open({
      onEnded: () => {
        throw new Error("a bad listener");
      },
      onError: (operation) => {
        errors.push(operation);
        throw new Error("a worse one");
      },
    });
    replies.push({ ended: [task("a")], unreferencedKeys: ["k"] });
    await reconciler.runOnce();
    expect([errors, deleted]).toEqual([["ended"], [["k"]]]);
  });
});

describe("lanes without a server", () => {
  const unservedAt = async (parts: ReturnType<typeof open>, atMs: number): Promise<readonly string[]> => {
    await parts.clock.advance(atMs - parts.clock.now());
    await parts.reconciler.runOnce();
    return parts.sweeps.at(-1)?.unserved ?? [];
  };

  it("are named after so long without one, without interruption", async () => {
    const parts = open();
    parts.state.lanes = ["lonely", "served", "flapping"];
    parts.servers.add("served");
    expect(await unservedAt(parts, 0)).toEqual([]);
    parts.servers.add("flapping");
    expect(await unservedAt(parts, 30_000)).toEqual([]);
    parts.servers.delete("flapping");
    expect(await unservedAt(parts, NO_SERVER_MS - 1)).toEqual([]);
    expect(await unservedAt(parts, NO_SERVER_MS)).toEqual(["lonely"]);
    parts.servers.add("lonely");
    expect(await unservedAt(parts, 2 * NO_SERVER_MS)).toEqual(["flapping"]);
  });

  it("begin anew when they ran empty", async () => {
    const parts = open();
    parts.state.lanes = ["m"];
    await unservedAt(parts, 0);
    parts.state.lanes = [];
    await unservedAt(parts, 30_000);
    parts.state.lanes = ["m"];
    expect(await unservedAt(parts, NO_SERVER_MS)).toEqual([]);
    expect(await unservedAt(parts, 2 * NO_SERVER_MS)).toEqual(["m"]);
  });

  it("are asked for every five seconds at most", async () => {
    const { clock, state, sweeps, reconciler } = open();
    reconciler.start();
    await clock.advance(12_000);
    expect([sweeps.length, state.statsAsked]).toEqual([12, 3]);
  });
});
