import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { Turns } from "../../src/postgres/turns.ts";

it("calls of one name go one at a time, the latest first, whatever becomes of the one before", async () => {
  const turns = new Turns(10_000);
  const seen: string[] = [];
  let atOnce = 0;
  const call = (text: string, fails = false): Promise<void> =>
    turns.run("a", async () => {
      atOnce += 1;
      expect(atOnce).toBe(1);
      seen.push(text);
      await sleep(5);
      atOnce -= 1;
      if (fails) throw new Error(text);
    });
  const all = [call("first", true), call("second"), call("third", true), call("fourth")];
  expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual([
    "rejected",
    "fulfilled",
    "rejected",
    "fulfilled",
  ]);
  expect(seen).toEqual(["first", "fourth", "third", "second"]);
  await call("fifth");
  expect(seen).toHaveLength(5);
});

it("names do not wait for each other", async () => {
  const turns = new Turns(10_000);
  let release = (): void => {};
  const held = turns.run("a", () => new Promise<void>((resolve) => (release = resolve)));
  await turns.run("b", async () => {});
  release();
  await held;
});

it("nobody waits for ever for one that hangs, and those who went without a turn take none", async () => {
  const turns = new Turns(20);
  let release = (): void => {};
  const held = turns.run("a", () => new Promise<void>((resolve) => (release = resolve)));
  expect(await turns.run("a", async () => "went")).toBe("went");
  const waiting = turns.run("a", async () => "had its turn");
  release();
  await held;
  expect(await waiting).toBe("had its turn");
  expect(await turns.run("a", async () => "free")).toBe("free");
});
