// One side, one repetition, one process: enters so many entries, one a call, then takes them all. Started by redis.mjs.
import { parseArgs } from "node:util";
import { peersIn } from "../lib/peers.mjs";
import { drain, inFlight, newEntries } from "./entries.mjs";
import { openBroker } from "./parts.mjs";

const { values } = parseArgs({
  options: { side: { type: "string" }, tasks: { type: "string" }, "in-flight": { type: "string" } },
});
const url = process.env.BENCH_BROKER_URL;
const [count, width] = [Number(values.tasks), Number(values["in-flight"])];

async function ours() {
  const broker = await openBroker("redis", url);
  await broker.queue.stats();
  const entries = newEntries(count);
  return {
    enqueue: () => inFlight(width, count, (number) => broker.queue.enqueue([entries[number]])),
    drain: (handle) => drain(broker.queue, width, count, handle),
    waiting: async () => (await broker.queue.stats()).waiting,
    close: () => broker.close(),
  };
}

/** As its users run it. A job carries as much as an entry of ours, which is next to nothing. */
async function bullmq() {
  const { Queue, Worker } = peersIn(new URL("peers/", import.meta.url)).load("bullmq");
  const { hostname, port, username, password } = new URL(url);
  const connection = { host: hostname, port: Number(port), username, password, maxRetriesPerRequest: null };
  const queue = new Queue("bench", { connection });
  await queue.waitUntilReady();
  const entries = newEntries(count);
  const take = async (handle) => {
    let done = 0;
    let onAll = () => {};
    const all = new Promise((resolve, reject) => (onAll = (error) => (error ? reject(error) : resolve())));
    const worker = new Worker("bench", handle, { connection, concurrency: width, autorun: false });
    worker.on("completed", () => {
      done += 1;
      if (done === count) onAll();
    });
    for (const event of ["failed", "error"]) worker.on(event, (...found) => onAll(found.at(-1) ?? event));
    await worker.waitUntilReady();
    const beganMs = performance.now();
    worker.run().catch(onAll);
    await all;
    const perSecond = (count / (performance.now() - beganMs)) * 1000;
    await worker.close();
    return perSecond;
  };
  return {
    enqueue: () =>
      inFlight(width, count, (number) =>
        queue.add("bench", { id: entries[number].id }, { removeOnComplete: true }),
      ),
    drain: take,
    waiting: () => queue.getWaitingCount(),
    close: () => queue.close(),
  };
}

const side = await (values.side === "ours" ? ours() : bullmq());
const cpuUs = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
const next = () => new Promise((resolve) => process.once("message", resolve));
let handled = 0;
const handle = async () => {
  handled += 1;
};
for (const [phase, run] of [
  ["enqueue", () => side.enqueue()],
  ["drain", () => side.drain(handle)],
]) {
  process.send({ isReady: true });
  await next();
  const before = cpuUs();
  const perSecond = await run();
  const clientUs = (cpuUs() - before) / count;
  const waiting = await side.waiting();
  if (waiting !== (phase === "enqueue" ? count : 0)) throw new Error(`${waiting} wait after ${phase}`);
  process.send({ phase, perSecond, clientUs });
}
if (handled !== count) throw new Error(`${handled} calls for ${count} entries`);
await side.close();
process.exit(0);
