import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/clock.ts";
import type { Clock } from "../../src/contracts/clock.ts";
import type { RecordStore } from "../../src/contracts/record-store.ts";
import type { ServerDemands } from "../../src/deployments/api.ts";
import {
  type ConfigurationsParts,
  createConfigurations,
  type FollowedConfigurations,
} from "../../src/deployments/configurations.ts";
import { memoryRecordStore } from "../../src/memory/record-store.ts";
import { trackingDouble } from "./tracking-double.ts";

const umls = { uri: "models:/umls/3", type: "medcat_umls", runId: "r1" };
const demands: ServerDemands = { limits: { memoryBytes: 4 * 1024 ** 3, cpus: 2 } };

/** Each look at it is one millisecond later than the one before. */
function tickingClock(): Clock {
  let nowMs = 1_000;
  return { ...systemClock, now: () => ++nowMs };
}

function open(parts: Partial<ConfigurationsParts> = {}): FollowedConfigurations {
  return createConfigurations({
    records: memoryRecordStore(),
    clock: tickingClock(),
    tracking: trackingDouble({ r1: umls }),
    ...parts,
  });
}

describe("a new configuration", () => {
  it("has what was given, and the policy's idle time", async () => {
    const configurations = open({ autoPolicy: { idleTtlMs: 5_000 } });
    const made = await configurations.create({ model: "m", modelUri: " s3://x " });
    expect(made).toEqual({
      ...{ id: 1, model: "m", modelUri: "s3://x", idleTtlMs: 5_000, keepWarm: false, isEnabled: true },
      ...{ createdAtMs: made.createdAtMs, updatedAtMs: made.createdAtMs },
    });
    expect(await configurations.get("m")).toEqual(made);
    expect(await configurations.list()).toEqual([made]);
    expect((await open().create({ model: "m", modelUri: "s3://x" })).idleTtlMs).toBe(3_600_000);
  });

  it("takes the address and the type from the tracker", async () => {
    expect(await open().create({ model: "m", trackingId: "r1" })).toMatchObject({
      ...{ modelUri: umls.uri, modelType: umls.type, trackingId: "r1" },
    });
  });

  it("replaces the enabled one and inherits what it does not say", async () => {
    const configurations = open();
    const first = await configurations.create({
      ...{ model: "m", trackingId: "r1", idleTtlMs: 7_000, keepWarm: true, description: "one", demands },
    });
    const second = await configurations.create({ model: "m", description: "two" });
    expect(second).toMatchObject({
      ...{ id: 2, modelUri: umls.uri, modelType: umls.type, trackingId: "r1", idleTtlMs: 7_000 },
      ...{ keepWarm: true, description: "two", demands, isEnabled: true },
    });
    const [newest, oldest, ...others] = await configurations.history("m");
    expect(others).toEqual([]);
    expect(newest).toEqual(second);
    expect(oldest).toEqual({ ...first, isEnabled: false, updatedAtMs: second.createdAtMs });
  });

  it("has no type of another address", async () => {
    const configurations = open();
    await configurations.create({ model: "m", trackingId: "r1" });
    const moved = await configurations.create({ model: "m", modelUri: "s3://elsewhere" });
    expect(moved).toMatchObject({ modelUri: "s3://elsewhere", trackingId: "r1" });
    expect(moved).not.toHaveProperty("modelType");
  });

  it("begins afresh when it inherits nothing", async () => {
    const configurations = open();
    await configurations.create({ model: "m", trackingId: "r1", idleTtlMs: 7_000, demands, keepWarm: true });
    const fresh = await configurations.create({ model: "m", modelUri: "s3://x", inherits: false });
    expect(fresh).toMatchObject({ idleTtlMs: 3_600_000, keepWarm: false });
    expect(fresh).not.toHaveProperty("demands");
    expect(fresh).not.toHaveProperty("trackingId");
  });

  it("is refused without an address to give or to inherit", async () => {
    const configurations = open();
    const refusal = { code: "INVALID_REQUEST", details: { field: "modelUri", rule: "missing" } };
    await expect(configurations.create({ model: "m" })).rejects.toMatchObject(refusal);
    await configurations.create({ model: "m", modelUri: "s3://x" });
    await expect(configurations.create({ model: "m", inherits: false })).rejects.toMatchObject(refusal);
    await configurations.disable("m");
    await expect(configurations.create({ model: "m" })).rejects.toMatchObject(refusal);
    expect(await configurations.history("m")).toHaveLength(1);
  });

  it("is a conflict when it may not replace", async () => {
    const configurations = open();
    const request = { model: "m", modelUri: "s3://x", replaces: false };
    const { id } = await configurations.create(request);
    await expect(configurations.create(request)).rejects.toMatchObject({ code: "CONFIGURATION_CONFLICT" });
    await configurations.disable("m");
    expect((await configurations.create(request)).id).toBeGreaterThan(id);
  });

  it.each([
    ["model", { model: "a b", modelUri: "s3://x" }],
    ["modelUri", { model: "m", modelUri: " " }],
    ["modelUri", { model: "m", modelUri: "a\0" }],
    ["trackingId", { model: "m", trackingId: "" }],
    ["idleTtlMs", { model: "m", modelUri: "s3://x", idleTtlMs: 0 }],
    ["description", { model: "m", modelUri: "s3://x", description: "\0" }],
    ["demands.limits.cpus", { model: "m", modelUri: "s3://x", demands: { limits: { cpus: -1 } } }],
  ])("is refused for its %s", async (field, request) => {
    const configurations = open();
    await expect(configurations.create(request)).rejects.toMatchObject({
      ...{ code: "INVALID_REQUEST", details: { field } },
    });
    expect(await configurations.list({ all: true })).toEqual([]);
  });

  it("has an address that the tracker knows, where the policy asks for that", async () => {
    const configurations = open({ autoPolicy: { requiresKnownUri: true } });
    await expect(configurations.create({ model: "m", modelUri: "s3://x" })).rejects.toMatchObject({
      ...{ code: "TRACKED_MODEL_UNKNOWN", details: { field: "modelUri" } },
    });
    await configurations.create({ model: "m", modelUri: umls.uri });
  });
});

describe("a configuration", () => {
  it("is changed in place, and cleared", async () => {
    const configurations = open();
    const made = await configurations.create({
      ...{ model: "m", modelUri: "s3://x", idleTtlMs: 7_000, description: "one", demands },
    });
    const changed = await configurations.update("m", { trackingId: "r1", keepWarm: true });
    expect(changed).toEqual({
      ...made,
      ...{ modelUri: umls.uri, modelType: umls.type, trackingId: "r1", keepWarm: true },
      updatedAtMs: changed.updatedAtMs,
    });
    expect(changed.updatedAtMs).toBeGreaterThan(made.updatedAtMs);
    const cleared = await configurations.update("m", {
      ...{ trackingId: null, idleTtlMs: null, description: null, demands: null },
    });
    expect(cleared).toEqual({
      ...{ id: made.id, model: "m", modelUri: umls.uri, modelType: umls.type, idleTtlMs: 3_600_000 },
      ...{ keepWarm: true, isEnabled: true, createdAtMs: made.createdAtMs, updatedAtMs: cleared.updatedAtMs },
    });
    expect(await configurations.history("m")).toEqual([cleared]);
    expect(await configurations.update("m", { modelUri: "s3://y" })).not.toHaveProperty("modelType");
  });

  it("is disabled, and an old one enabled in place of the one that is", async () => {
    const configurations = open();
    const first = await configurations.create({ model: "m", modelUri: "s3://1" });
    const other = await configurations.create({ model: "a", modelUri: "s3://a" });
    const second = await configurations.create({ model: "m", modelUri: "s3://2" });
    expect(await configurations.enable(first.id)).toMatchObject({ modelUri: "s3://1", isEnabled: true });
    expect((await configurations.history("m")).map(({ id, isEnabled }) => [id, isEnabled])).toEqual([
      [second.id, false],
      [first.id, true],
    ]);
    const again = await configurations.get("m");
    expect(await configurations.enable(first.id)).toEqual(again);
    await configurations.disable("m");
    expect(await configurations.get("m")).toBeUndefined();
    expect(await configurations.list()).toEqual([other]);
    expect((await configurations.list({ all: true })).map(({ id }) => id)).toEqual([
      ...[other.id, second.id, first.id],
    ]);
    expect(await configurations.enable(second.id)).toMatchObject({ isEnabled: true });
  });

  it("is not found where there is none", async () => {
    const configurations = open();
    const missing = { code: "CONFIGURATION_UNKNOWN" };
    for (const model of ["m", "a b", "\0", "x".repeat(900)]) {
      expect(await configurations.get(model)).toBeUndefined();
      expect(await configurations.history(model)).toEqual([]);
      await expect(configurations.update(model, {})).rejects.toMatchObject(missing);
      await expect(configurations.disable(model)).rejects.toMatchObject(missing);
    }
    await configurations.create({ model: "m", modelUri: "s3://x" });
    await configurations.disable("m");
    await expect(configurations.update("m", {})).rejects.toMatchObject(missing);
    for (const id of [2, 0, -1, 1.5]) await expect(configurations.enable(id)).rejects.toMatchObject(missing);
  });

  it("is kept with the newest hundred, and the enabled one", async () => {
    const configurations = open();
    const first = await configurations.create({ model: "m", modelUri: "s3://0" });
    await configurations.create({ model: "m", modelUri: "s3://1" });
    await configurations.enable(first.id);
    for (let n = 2; n <= 120; n += 1) {
      await configurations.create({ model: "m", modelUri: `s3://${n}` });
      if (n === 60) await configurations.enable(first.id);
    }
    const history = await configurations.history("m");
    expect(history).toHaveLength(100);
    expect(history.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, index) => 121 - index));
    await expect(configurations.enable(first.id)).rejects.toMatchObject({ code: "CONFIGURATION_UNKNOWN" });
  });

  it("makes place in its record for a large one, and stays itself", async () => {
    const records = memoryRecordStore();
    const configurations = open({ records });
    const description = "\u0001".repeat(16_384);
    const modelUri = `s3://${"\u0001".repeat(8_000)}x`;
    for (let n = 0; n < 4; n += 1) await configurations.create({ model: "m", modelUri, description });
    const history = await configurations.history("m");
    expect(history.map(({ id }) => id)).toEqual([4]);
    expect(history[0]).toMatchObject({ description, isEnabled: true });
    for (let n = 0; n < 30; n += 1) {
      await configurations.create({ model: "m", modelUri: "s3://x", description: "d".repeat(16_384) });
    }
    expect((await configurations.history("m")).length).toBeGreaterThan(10);
    expect((await configurations.history("m")).at(0)?.id).toBe(34);
  });
});

/** The store, with answers that come in any order and replies to writes that are lost now and then. */
function unruly(records: RecordStore, losesReplies: boolean): RecordStore {
  const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
  const late =
    <Args extends readonly unknown[], T>(call: (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      await later();
      const answer = await call(...args);
      await later();
      return answer;
    };
  return {
    get: late(records.get.bind(records)),
    put: late(async (...args) => {
      const written = await records.put(...args);
      // What a store does that tries again after a lost reply, and then meets its own write.
      return losesReplies && Math.random() < 0.2 ? undefined : written;
    }),
    delete: late(records.delete.bind(records)),
    list: late(records.list.bind(records)),
    close: () => records.close(),
  };
}

describe("many who configure one model at once", () => {
  it.each([false, true])(
    "leave one enabled, and ids that nobody else has (replies lost: %s)",
    async (losesReplies) => {
      const records = memoryRecordStore();
      const objects = Array.from({ length: 5 }, () => open({ records: unruly(records, losesReplies) }));
      const other = (n: number): FollowedConfigurations => objects[n % 5] as FollowedConfigurations;
      const seeds = await Promise.all(
        [1, 2, 3].map((n) => other(n).create({ model: "m", modelUri: `s3://${n}` })),
      );
      const watch = open({ records });
      let isOver = false;
      const watching = (async () => {
        while (!isOver) {
          const enabled = (await watch.history("m")).filter(({ isEnabled }) => isEnabled);
          expect(enabled).toHaveLength(1);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      })();
      const made = await Promise.all(
        Array.from({ length: 50 }, async (_, n) => {
          const configurations = other(n);
          if (n % 5 === 3) return await configurations.enable(seeds[n % 3]?.id ?? 0);
          if (n % 5 === 4) return await configurations.update("m", { description: `${n}` });
          return await configurations.create({ model: n % 7 === 0 ? "other" : "m", modelUri: `s3://${n}` });
        }),
      );
      isOver = true;
      await watching;
      const all = await open({ records }).list({ all: true });
      expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
      const created = made.filter((_, n) => n % 5 < 3);
      expect(all).toHaveLength(created.length + seeds.length);
      expect(new Set(created.map(({ id }) => id)).size).toBe(created.length);
      for (const model of ["m", "other"]) {
        const versions = all.filter((each) => each.model === model);
        expect(versions.filter(({ isEnabled }) => isEnabled)).toHaveLength(1);
        const ids = versions.map(({ id }) => id);
        expect(ids).toEqual(ids.toSorted((one, two) => two - one));
      }
    },
  );

  it("give one of those who may not replace its way", async () => {
    const records = memoryRecordStore();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, () =>
        open({ records: unruly(records, true) }).create({ model: "m", modelUri: "s3://x", replaces: false }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected")
        expect(outcome.reason).toMatchObject({ code: "CONFIGURATION_CONFLICT" });
    }
    expect(await open({ records }).list({ all: true })).toHaveLength(1);
  });
});

describe("who follows the configurations", () => {
  function counted(records: RecordStore): RecordStore & { lists: number } {
    const store = {
      ...records,
      lists: 0,
      list: (...args: Parameters<RecordStore["list"]>) => {
        store.lists += 1;
        return records.list(...args);
      },
    };
    return store;
  }

  it("sees every change of others at once, and lists only after one", async () => {
    const records = memoryRecordStore();
    const seen = counted(records);
    const follower = open({ records: seen }).follow();
    const writer = open({ records });
    const names = async (): Promise<string[]> => (await follower.enabled()).map(({ model }) => model);
    expect(await names()).toEqual([]);
    const { id } = await writer.create({ model: "b", modelUri: "s3://x" });
    expect(await names()).toEqual(["b"]);
    await writer.create({ model: "a", modelUri: "s3://x" });
    expect(await names()).toEqual(["a", "b"]);
    expect(seen.lists).toBe(3);
    for (let n = 0; n < 20; n += 1) expect(await names()).toEqual(["a", "b"]);
    expect(seen.lists).toBe(3);
    await writer.disable("b");
    expect(await names()).toEqual(["a"]);
    await writer.enable(id);
    expect(await names()).toEqual(["a", "b"]);
    await writer.update("a", { description: "new" });
    expect((await follower.enabled())[0]?.description).toBe("new");
  });

  it("sees after half a minute what could not be marked, which is no error of the writer", async () => {
    const records = memoryRecordStore();
    let monotonicMs = 0;
    const clock: Clock = { ...systemClock, monotonic: () => monotonicMs };
    const follower = open({ records, clock }).follow();
    expect(await follower.enabled()).toEqual([]);
    const put: RecordStore["put"] = async (key, ...rest) => {
      if (key === "on-demand/stamp") throw new Error("away");
      return await records.put(key, ...rest);
    };
    await open({ records: { ...records, put } }).create({ model: "m", modelUri: "s3://x" });
    monotonicMs += 29_999;
    expect(await follower.enabled()).toEqual([]);
    monotonicMs += 1;
    expect(await follower.enabled()).toHaveLength(1);
  });

  it("stops waiting when asked to", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    const configurations = open();
    await expect(configurations.follow().enabled({ signal })).rejects.toThrow("enough");
    await expect(configurations.create({ model: "m", modelUri: "s3://x" }, { signal })).rejects.toThrow(
      "enough",
    );
    expect(await configurations.list({ all: true })).toEqual([]);
  });
});
