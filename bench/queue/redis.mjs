// What does our queue on Redis cost against BullMQ on the same Redis, with the same persistence? Sides take turns, each in
// a process of its own, with an empty Redis.
//
// enqueue: one entry a call, 100 calls under way.
// drain:   take one, call a handler that does nothing, settle it, 100 of that under way; BullMQ's Worker with
//          concurrency 100 and removeOnComplete.
//
// node bench/queue/redis.mjs [--pairs 5] [--tasks 30000] [--in-flight 100] [--fsync everysec|always]
//   [--server redis|valkey] [--peer bullmq|none]
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startRedis, startValkey } from "../../scripts/services/index.mjs";
import { forkNode } from "../lib/children.mjs";
import { treeMs } from "../lib/cpu.mjs";
import { peersIn } from "../lib/peers.mjs";
import { MISSED, median, report } from "../lib/ratios.mjs";
import { bundleParts } from "./parts.mjs";

const { values } = parseArgs({
  options: {
    pairs: { type: "string", default: "5" },
    tasks: { type: "string", default: "30000" },
    "in-flight": { type: "string", default: "100" },
    fsync: { type: "string", default: "everysec" },
    server: { type: "string", default: "redis" },
    peer: { type: "string", default: "bullmq" },
  },
});
const BARS = { enqueue: 1.2, drain: 2 };
const persistence = values.fsync === "always" ? "aof-always" : "aof";
const file = fileURLToPath(new URL("redis-side.mjs", import.meta.url));

const hasPeer = values.peer !== "none";
if (hasPeer) peersIn(new URL("peers/", import.meta.url)).install();
await bundleParts();
const start = values.server === "valkey" ? startValkey : startRedis;

/** Each in a server of its own, so that nobody pays for what another one's append-only file has grown to. */
async function once(side) {
  const service = await start({ persistence });
  const args = ["--side", side, "--tasks", values.tasks, "--in-flight", values["in-flight"]];
  const child = forkNode(file, args, { env: { BENCH_BROKER_URL: service.url } });
  const used = () => service.pids.reduce((sum, pid) => sum + treeMs(pid), 0);
  const results = {};
  try {
    for (const phase of Object.keys(BARS)) {
      await child.next();
      const before = used();
      child.send("go");
      const result = await child.next();
      results[phase] = { ...result, serverUs: ((used() - before) * 1000) / Number(values.tasks) };
    }
    return results;
  } finally {
    child.kill();
    await service.close();
  }
}

const pairs = [];
console.log(
  `${values.server}, appendfsync ${values.fsync}, ${values.tasks} entries, ${values["in-flight"]} under way`,
);
for (let pair = 0; pair < Number(values.pairs); pair += 1)
  pairs.push([hasPeer ? await once("bullmq") : undefined, await once("ours")]);
for (const [phase, bar] of Object.entries(BARS)) {
  if (!hasPeer) {
    console.log(`${phase}: ${pairs.map(([, own]) => own[phase].perSecond.toFixed(0)).join(", ")} a second`);
    continue;
  }
  const of = (at, what) => median(pairs.map((pair) => pair[at][phase][what])).toFixed(1);
  console.log(
    `${phase}: microseconds of processor time an entry, client and server: BullMQ ${of(0, "clientUs")} and ${of(0, "serverUs")}, ours ${of(1, "clientUs")} and ${of(1, "serverUs")}`,
  );
  const rates = pairs.map(([base, own]) => [base[phase].perSecond, own[phase].perSecond]);
  const isMet = report({
    ...{
      name: `${phase}, entries a second of BullMQ`,
      unit: "/s",
      base: "BullMQ",
      own: "ours",
      pairs: rates,
    },
    bar,
  });
  if (!isMet) process.exitCode = MISSED;
}
