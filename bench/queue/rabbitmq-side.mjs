// One side, one repetition, one process: enters so many entries, one a call, then takes them all. Started by rabbitmq.mjs.
import { parseArgs } from "node:util";
import { drainInBatches, inFlight, newEntries } from "./entries.mjs";
import { amqplib, openBroker } from "./parts.mjs";

const { values } = parseArgs({
  options: {
    side: { type: "string" },
    kind: { type: "string" },
    tasks: { type: "string" },
    "in-flight": { type: "string" },
    loops: { type: "string" },
  },
});
const url = process.env.BENCH_BROKER_URL;
const [count, width] = [Number(values.tasks), Number(values["in-flight"])];
const entries = newEntries(count);

async function ours() {
  const broker = await openBroker("rabbitmq", url, { prefix: `ours-${process.pid}`, queueType: values.kind });
  await broker.queue.stats();
  return {
    enqueue: () => inFlight(width, count, (number) => broker.queue.enqueue([entries[number]])),
    drain: (handle) => drainInBatches(broker.queue, width, count, handle, Number(values.loops)),
    close: () => broker.close(),
  };
}

/** The loop that somebody writes who needs nothing else: persistent and confirmed, prefetch, one ack for each. */
async function raw() {
  const connection = await amqplib().connect(url);
  const queue = `raw-${process.pid}`;
  const publishing = await connection.createConfirmChannel();
  await publishing.assertQueue(queue, { durable: true, arguments: { "x-queue-type": values.kind } });
  const publish = (entry) =>
    new Promise((resolve, reject) => {
      const body = Buffer.from(JSON.stringify(entry));
      publishing.sendToQueue(queue, body, { persistent: true }, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  const drain = async (handle) => {
    const taking = await connection.createChannel();
    await taking.prefetch(width);
    const beganMs = performance.now();
    let done = 0;
    await new Promise((resolve) => {
      void taking.consume(queue, async (message) => {
        // The queue was deleted, at the end.
        if (message === null) return;
        await handle(JSON.parse(message.content.toString()));
        taking.ack(message);
        done += 1;
        if (done === count) resolve();
      });
    });
    // An ack has no answer; what is asked after it is answered after it.
    await taking.checkQueue(queue);
    return (count / (performance.now() - beganMs)) * 1000;
  };
  return {
    enqueue: () => inFlight(width, count, (number) => publish(entries[number])),
    drain,
    close: async () => {
      await publishing.deleteQueue(queue);
      await connection.close();
    },
  };
}

const side = await (values.side === "ours" ? ours() : raw());
const next = () => new Promise((resolve) => process.once("message", resolve));
const seen = new Set();
for (const [phase, run] of [
  ["enqueue", () => side.enqueue()],
  ["drain", () => side.drain(async ({ id }) => void seen.add(id))],
]) {
  process.send({ isReady: true });
  await next();
  process.send({ phase, perSecond: await run() });
}
if (seen.size !== count) throw new Error(`${seen.size} of ${count} entries came`);
await side.close();
process.exit(0);
