// What do submitters make of a broker that is gone for half a minute under load? Two gateways embedded in this process, one
// that submits and one that runs, share PostgreSQL and the broker, which is stopped and started again. No submit may be
// refused, everything accepted must end, and tasks must go on ending while it is gone.
//
// node bench/queue/away.mjs [--out-seconds 30] [--clients 16] [--brokers redis,rabbitmq]
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { MISSED } from "../lib/ratios.mjs";
import { openServer } from "../postgres/server.mjs";
import { functionProtocol } from "../postgres/sides/gateway.mjs";
import { MODEL } from "../postgres/tasks.mjs";
import { startBroker } from "./brokers.mjs";
import { openComposed } from "./composed-ledger.mjs";
import { bundleParts, load } from "./parts.mjs";

const { values } = parseArgs({
  options: {
    "out-seconds": { type: "string", default: "30" },
    clients: { type: "string", default: "16" },
    brokers: { type: "string", default: "redis,rabbitmq" },
  },
});
const outMs = Number(values["out-seconds"]) * 1000;
const BETWEEN_MS = Math.min(5_000, outMs);
const END_LIMIT_MS = 60_000;
await bundleParts();
const server = await openServer();

async function openGateway(kind, url, brokerUrl, runs) {
  const [{ createGateway }, { memoryDiscovery }] = [await load("core"), await load("memory")];
  const composed = await openComposed({
    store: "postgres",
    broker: kind,
    url,
    brokerUrl,
    onQueueFailure() {},
  });
  const only = { id: "one", url: "function://one", models: [MODEL], protocol: "function", state: "ready" };
  const discovery = memoryDiscovery([{ ...only, limit: 16 }]);
  const gateway = createGateway({
    ...{
      discovery,
      runs,
      ledger: composed.ledger,
      wakeups: composed.wakeups,
      name: runs ? "runs" : "submits",
    },
    protocols: [functionProtocol(() => sleep(5))],
  });
  await gateway.start();
  const close = async () => {
    await gateway.stop();
    await discovery.close();
    await composed.close();
  };
  return { gateway, close };
}

async function goneOn(kind) {
  const broker = await startBroker(kind);
  const { url } = await server.database();
  const submits = await openGateway(kind, url, broker.url, false);
  const runs = await openGateway(kind, url, broker.url, true);
  const accepted = new Set();
  const open = new Set();
  const early = new Set();
  const phases = [];
  let [ended, isOver, longestMs] = [0, false, 0];
  runs.gateway.events.on("task:ended", (event) => {
    ended += 1;
    const { id } = event.task ?? event;
    // One that was refused may have reached the store.
    if (!open.delete(id)) early.add(id);
  });
  const begin = (name) => phases.push({ name, submitted: 0, refused: 0, endedBefore: ended, longestMs: 0 });
  const client = async () => {
    while (!isOver) {
      const phase = phases.at(-1);
      const beganMs = performance.now();
      try {
        const { id } = await submits.gateway.submit({
          ...{ model: MODEL, operation: "process", contentType: "application/json" },
          payload: JSON.stringify({ number: accepted.size }),
        });
        accepted.add(id);
        if (!early.delete(id)) open.add(id);
        phase.submitted += 1;
      } catch (error) {
        phase.refused += 1;
        phase.error ??= error;
      }
      longestMs = Math.max(longestMs, performance.now() - beganMs);
      await sleep(20);
    }
  };
  try {
    begin("all is well");
    const working = Promise.all(Array.from({ length: Number(values.clients) }, client));
    await sleep(BETWEEN_MS);
    begin("gone");
    await broker.service.stop();
    await sleep(outMs);
    begin("back");
    await broker.service.start();
    await sleep(BETWEEN_MS);
    isOver = true;
    begin("over");
    await working;
    const untilMs = performance.now() + END_LIMIT_MS;
    while (open.size > 0 && performance.now() < untilMs) await sleep(50);
    phases.forEach(({ name, submitted, refused, endedBefore, error }, at) => {
      const here = (phases[at + 1]?.endedBefore ?? ended) - endedBefore;
      console.log(
        `  ${kind}, ${name}: ${submitted} submitted, ${refused} refused${error ? ` (${error})` : ""}, ${here} ended`,
      );
    });
    const refused = phases.reduce((sum, phase) => sum + phase.refused, 0);
    const whileGone = phases[2].endedBefore - phases[1].endedBefore;
    const isMet = refused === 0 && open.size === 0 && whileGone > 0.5 * phases[1].submitted;
    console.log(
      `${kind} gone for ${outMs / 1000} s: ${accepted.size} accepted, ${refused} refused (bar 0), ${open.size} not ended (bar 0), ${whileGone} of ${phases[1].submitted} ended meanwhile (bar half), the longest submit ${(longestMs / 1000).toFixed(2)} s ${isMet ? "met" : "NOT MET"}`,
    );
    return isMet;
  } finally {
    isOver = true;
    await submits.close();
    await runs.close();
    await broker.service.close();
  }
}

try {
  for (const kind of values.brokers.split(",")) if (!(await goneOn(kind))) process.exitCode = MISSED;
} finally {
  await server.close();
}
