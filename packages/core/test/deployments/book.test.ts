import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/clock.ts";
import type { RecordStore, StoredRecord } from "../../src/contracts/record-store.ts";
import { DeploymentBook } from "../../src/deployments/book.ts";
import { newEntry } from "../../src/deployments/entry.ts";
import { memoryRecordStore } from "../../src/memory/index.ts";

const entryOf = (model: string) =>
  newEntry({ model, generation: `g-${model}`, kind: "auto", room: { memoryBytes: 0, cpus: 0, gpus: 0 } }, 0);
const add = (model: string) => () => ({ model, entry: entryOf(model) });

/** Records whose next answer to `get` is held back until it is released. */
function slowRecords(): { records: RecordStore; holdNext(): () => void } {
  const records = memoryRecordStore();
  let held: Promise<void> | undefined;
  return {
    holdNext() {
      let release = (): void => {};
      held = new Promise((resolve) => {
        release = resolve;
      });
      return release;
    },
    records: {
      ...records,
      put: (...args) => records.put(...args),
      list: (...args) => records.list(...args),
      delete: (...args) => records.delete(...args),
      close: () => records.close(),
      get: async (...args): Promise<StoredRecord | undefined> => {
        const wait = held;
        held = undefined;
        const record = await records.get(...args);
        await wait;
        return record;
      },
    },
  };
}

describe("the book of deployments", () => {
  it("is not undone by a read that was answered before a change and arrives after it", async () => {
    const { records, holdNext } = slowRecords();
    const book = new DeploymentBook(records, systemClock);
    await book.change(add("a"));
    const release = holdNext();
    const late = book.read();
    await book.change(add("b"));
    release();
    expect([...(await late).keys()]).toEqual(["a", "b"]);
    expect([...book.known.keys()]).toEqual(["a", "b"]);
  });

  it("goes on being known while a change is decided anew because somebody else was first", async () => {
    const { records, holdNext } = slowRecords();
    const book = new DeploymentBook(records, systemClock);
    await book.change(add("a"));
    await new DeploymentBook(records, systemClock).change(add("b"));
    const release = holdNext();
    const changing = book.change(add("c"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([...book.known.keys()]).toEqual(["a"]);
    release();
    expect([...(await changing).keys()]).toEqual(["a", "b", "c"]);
  });

  it("takes an older edition when it is what the store has, as after a restored backup", async () => {
    const { records } = slowRecords();
    const book = new DeploymentBook(records, systemClock);
    await book.change(add("a"));
    const early = await records.get("deployments/book");
    await book.change(add("b"));
    const now = await records.get("deployments/book");
    await records.put("deployments/book", early?.value ?? null, now?.version ?? null);
    expect([...(await book.read()).keys()]).toEqual(["a"]);
  });

  it("loses no change of many that are made at once through one and through several books", async () => {
    const { records } = slowRecords();
    const books = [1, 2, 3].map(() => new DeploymentBook(records, systemClock));
    const models = Array.from({ length: 30 }, (_, at) => `m${at}`);
    await Promise.all(models.map((model, at) => books[at % 3]?.change(add(model))));
    expect([...((await books[0]?.read()) ?? []).keys()].sort()).toEqual([...models].sort());
  });
});
