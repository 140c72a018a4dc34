// One process of several on the same ledger: it submits or it runs. Started by processes.mjs.
import { parseArgs } from "node:util";
import { openConsumer, openProducer } from "./sides/ours.mjs";
import { nowUs, payloadOf } from "./tasks.mjs";

const { values } = parseArgs({
  options: { role: { type: "string" }, tasks: { type: "string" }, slots: { type: "string" } },
});
const url = process.env.BENCH_DATABASE_URL;
const TELL_MS = 10;
const IN_FLIGHT = 100;
// A store that rests keeps no process alive; the bench itself says when this one is over.
setInterval(() => {}, 60_000);

const message = () => new Promise((resolve) => process.once("message", resolve));

function onError(error) {
  console.error(error);
  process.exit(1);
}

async function submit() {
  const producer = await openProducer(url);
  process.send({ isReady: true });
  await message();
  let left = Number(values.tasks);
  const sender = async () => {
    while (left > 0) {
      left -= 1;
      await producer.submit(payloadOf(left));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, sender));
  await producer.close();
}

async function run() {
  let ended = 0;
  let lastUs = 0;
  let told = 0;
  const consumer = await openConsumer(url, {
    slots: Number(values.slots),
    handle: async () => {},
    onEnded(count) {
      ended += count;
      lastUs = nowUs();
    },
    onError,
  });
  process.send({ isReady: true });
  await message();
  await consumer.start();
  const timer = setInterval(() => {
    if (told === ended) return;
    told = ended;
    process.send({ ended, lastUs });
  }, TELL_MS);
  await message();
  clearInterval(timer);
  await consumer.stop();
}

await (values.role === "submit" ? submit() : run()).catch(onError);
process.exit(0);
