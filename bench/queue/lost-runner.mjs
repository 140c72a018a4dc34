// One process of two at work while a broker loses everything: it runs and it sweeps. Started by lost.mjs.
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { BenchRunner } from "../postgres/runner.mjs";
import { MODEL, RESULT_REF } from "../postgres/tasks.mjs";
import { keepSweeping, openComposed } from "./composed-ledger.mjs";

const { values } = parseArgs({
  options: { broker: { type: "string" }, name: { type: "string" }, limit: { type: "string" } },
});
const WORK_MS = 100;
const handed = [];
const onError = (error) => {
  console.error(error);
  process.exit(1);
};
const composed = await openComposed({
  ...{ store: "postgres", broker: values.broker, url: process.env.BENCH_DATABASE_URL },
  brokerUrl: process.env.BENCH_BROKER_URL,
  // What is under way at a purge may fail; that fails no call of the ledger.
  onQueueFailure() {},
});
const stopSweeping = keepSweeping(composed.ledger, onError);
const limit = Number(values.limit);
const runner = new BenchRunner({
  ...{ ledger: composed.ledger, name: values.name, limit, slots: limit / 2, models: [MODEL], onEnded() {} },
  handle: async ({ number }) => {
    handed.push(number);
    await sleep(WORK_MS);
    return RESULT_REF;
  },
});
const told = () => new Promise((resolve) => process.once("message", resolve));
process.send({ isReady: true });
await told();
runner.start(onError);
await told();
await runner.stop();
await stopSweeping();
process.send({ handed }, () => process.exit(0));
