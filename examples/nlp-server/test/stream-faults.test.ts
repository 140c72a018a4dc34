import { afterAll, beforeAll, expect, it } from "vitest";
import { type Running, start, until } from "./running.ts";

let running: Running;

beforeAll(async () => {
  running = await start({ generative: true, faults: true, tokenMs: 2 });
});

afterAll(() => running.close());

const ask = (signal?: AbortSignal): Promise<Response> =>
  running.post("/stream/generate?max_tokens=8&ignore_eos=1", "The patient was", "text/plain", signal);

/** What came before the end, and whether that was one. */
async function read(response: Response): Promise<{ pieces: number; isWhole: boolean }> {
  let pieces = 0;
  try {
    for await (const _ of response.body ?? []) pieces += 1;
  } catch {
    return { pieces, isWhole: false };
  }
  return { pieces, isWhole: true };
}

it("breaks off in the middle of a stream, with what was sent before it", async () => {
  await running.fault({ kind: "break_off", after: 3 });
  expect(await read(await ask())).toEqual({ pieces: 3, isWhole: false });
  expect(await read(await ask())).toMatchObject({ isWhole: true });
});

it("breaks off a whole answer after its first half", async () => {
  await running.fault({ kind: "break_off" });
  const response = await running.post("/generate", "The patient was");
  expect(await read(response)).toEqual({ pieces: 1, isWhole: false });
});

it("stalls until its client hangs up, which it notices", async () => {
  await running.fault({ kind: "stall", after: 2 });
  const { aborted } = await running.stats();
  const over = new AbortController();
  const reading = read(await ask(over.signal));
  setTimeout(() => over.abort(), 100);
  expect(await reading).toEqual({ pieces: 2, isWhole: false });
  await until(async () => (await running.stats()).aborted === aborted + 1);
  expect((await running.stats()).in_flight).toBe(0);
});

it("sends its headers at once and its first byte late", async () => {
  await running.fault({ kind: "slow_first_byte", ms: 200 });
  const began = performance.now();
  const response = await ask();
  expect(performance.now() - began).toBeLessThan(150);
  expect((await read(response)).isWhole).toBe(true);
  expect(performance.now() - began).toBeGreaterThan(190);
});

it("stops making tokens that nobody reads", async () => {
  const over = new AbortController();
  const path = "/stream/generate?max_tokens=1000000&ignore_eos=1";
  const response = await running.post(path, "a", "text/plain", over.signal);
  await response.body?.getReader().read();
  over.abort();
  await until(async () => (await running.stats()).in_flight === 0);
});

it("refuses a number of pieces that is none", async () => {
  expect((await running.fault({ kind: "stall", after: -1 })).status).toBe(400);
});
