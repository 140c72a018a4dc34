// What does our queue on RabbitMQ cost against a bare amqplib loop on the same kind of queue, and a wake-up against a bare
// publish and delivery? Sides take turns, each in a process of its own.
//
// enqueue: one entry a call, persistent and confirmed, 100 calls under way.
// drain:   at most 100 unsettled. Ours takes what fits and settles it, as the ledger does, in so many loops; the bare one
//          has a prefetch of 100 and acks each.
// wake-up: from the call to the listener in another connection, one after another, no queue kept.
//
// node bench/queue/rabbitmq.mjs [--pairs 5] [--tasks 20000] [--in-flight 100] [--kinds quorum,classic] [--rabbitmq 3|4]
//   [--wakeups 500] [--loops 1]
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startRabbitmq } from "../../scripts/services/index.mjs";
import { forkNode } from "../lib/children.mjs";
import { treeMs } from "../lib/cpu.mjs";
import { MISSED, median, percentile, report } from "../lib/ratios.mjs";
import { amqplib, bundleParts, openBroker } from "./parts.mjs";

const { values } = parseArgs({
  options: {
    pairs: { type: "string", default: "5" },
    tasks: { type: "string", default: "20000" },
    "in-flight": { type: "string", default: "100" },
    kinds: { type: "string", default: "quorum,classic" },
    rabbitmq: { type: "string", default: "3" },
    wakeups: { type: "string", default: "500" },
    loops: { type: "string", default: "1" },
  },
});
const file = fileURLToPath(new URL("rabbitmq-side.mjs", import.meta.url));
await bundleParts();
const service = await startRabbitmq({ version: Number(values.rabbitmq) });

async function once(side, kind) {
  const args = ["in-flight", "tasks", "loops"].flatMap((name) => [`--${name}`, values[name]]);
  args.push("--side", side, "--kind", kind);
  const child = forkNode(file, args, { env: { BENCH_BROKER_URL: service.url } });
  const used = () => service.pids.reduce((sum, pid) => sum + treeMs(pid), 0);
  const results = {};
  try {
    for (const phase of ["enqueue", "drain"]) {
      await child.next();
      const before = used();
      child.send("go");
      const { perSecond } = await child.next();
      results[phase] = { perSecond, serverUs: ((used() - before) * 1000) / Number(values.tasks) };
    }
    return results;
  } finally {
    child.kill();
  }
}

async function compare(kind) {
  let isMet = true;
  const pairs = [];
  for (let pair = 0; pair < Number(values.pairs); pair += 1)
    pairs.push([await once("raw", kind), await once("ours", kind)]);
  for (const phase of ["enqueue", "drain"]) {
    const of = (at) => median(pairs.map((pair) => pair[at][phase].serverUs)).toFixed(0);
    console.log(
      `${kind}, ${phase}: processor time of the broker an entry: raw ${of(0)} µs, ours ${of(1)} µs`,
    );
    const rates = pairs.map(([base, own]) => [base[phase].perSecond, own[phase].perSecond]);
    const name = `${kind}, ${phase}, entries a second of the bare loop`;
    isMet = report({ name, unit: "/s", base: "raw", own: "ours", pairs: rates, bar: 0.5 }) && isMet;
  }
  return isMet;
}

/** Resolves to the median of so many, one after another. */
async function p50Of(count, once) {
  const times = [];
  for (let at = 0; at < count; at += 1) {
    const beganMs = performance.now();
    await once(at);
    times.push(performance.now() - beganMs);
  }
  return percentile(
    times.sort((a, b) => a - b),
    0.5,
  );
}

async function wakeups() {
  const [publisher, listener] = [
    await openBroker("rabbitmq", service.url),
    await openBroker("rabbitmq", service.url),
  ];
  let onHint = () => {};
  listener.wakeups.subscribe("work", (names) => onHint(names));
  const hint = (name) =>
    new Promise((resolve) => {
      onHint = (names) => names.includes(name) && resolve();
      void publisher.wakeups.publish("work", [name]);
    });
  const isHeard = setInterval(() => void publisher.wakeups.publish("work", ["first"]), 50);
  await new Promise((resolve) => (onHint = (names) => names.includes("first") && resolve()));
  clearInterval(isHeard);

  const [sending, receiving] = [await amqplib().connect(service.url), await amqplib().connect(service.url)];
  const [out, back] = [await sending.createChannel(), await receiving.createChannel()];
  await out.assertExchange("raw-wakeups", "fanout", { durable: false, autoDelete: true });
  const { queue } = await back.assertQueue("", { exclusive: true, durable: false });
  await back.bindQueue(queue, "raw-wakeups", "");
  let onMessage = () => {};
  await back.consume(queue, () => onMessage(), { noAck: true });
  const message = (name) =>
    new Promise((resolve) => {
      onMessage = resolve;
      out.publish("raw-wakeups", "", Buffer.from(JSON.stringify([name])));
    });

  const count = Number(values.wakeups);
  const pairs = [];
  for (let pair = 0; pair < Number(values.pairs); pair += 1) {
    const base = await p50Of(count, (at) => message(`model-${at}`));
    pairs.push([base, await p50Of(count, (at) => hint(`model-${pair}-${at}`))]);
  }
  await Promise.all([sending.close(), receiving.close(), publisher.close(), listener.close()]);
  const told = { name: "wake-up, p50 of a bare publish and delivery", unit: "ms", digits: 2 };
  return report({ ...told, base: "raw", own: "ours", pairs, atMost: 2 });
}

try {
  console.log(`RabbitMQ ${values.rabbitmq}, ${values.tasks} entries, ${values["in-flight"]} under way`);
  const met = [];
  for (const kind of values.kinds.split(",")) met.push(await compare(kind));
  met.push(await wakeups());
  if (met.includes(false)) process.exitCode = MISSED;
} finally {
  await service.close();
}
