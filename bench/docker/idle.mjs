// What an idle process costs beside an engine with 20 running and 480 created containers, its own probes included: of a
// core, and in listings that it asks the engine for. Four at once: a discovery alone; a gateway on an SQLite store that
// finds the servers; one that deploys as well; and one without Docker, to see what of it is not Docker's.
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { forkNode } from "../lib/children.mjs";
import { openRelay } from "./relay.mjs";

const LABEL = "org.cogstack.model-serve";
const RUNNING = 20;
const SETTLE_MS = 5000;
const KINDS = ["discovery", "finds", "deploys", "no-docker"];
const child = fileURLToPath(new URL("idle-process.mjs", import.meta.url));

export async function idle(engine, seconds, created) {
  const labels = { [LABEL]: "test" };
  for (let at = 0; at < created; at += 8) {
    const count = Math.min(8, created - at);
    await Promise.all(Array.from({ length: count }, () => engine.create({ labels })));
  }
  const ids = await Promise.all(Array.from({ length: RUNNING }, () => engine.create({ labels })));
  for (const id of ids) await engine.act(id, "start");

  const open = [];
  for (const kind of KINDS) {
    const relay = await openRelay(engine.socket, kind);
    const process = forkNode(child, [relay.socket, kind, engine.image, String(RUNNING)]);
    await process.next();
    open.push({ kind, relay, process });
  }
  await sleep(SETTLE_MS);
  const before = await Promise.all(open.map(look));
  await sleep(seconds * 1000);
  const after = await Promise.all(open.map(look));
  let isMet = true;
  for (const [at, { kind, relay, process }] of open.entries()) {
    const isKept = tell(kind, before[at], after[at]);
    if (kind !== "no-docker") isMet &&= isKept;
    process.send("end");
    // Rejects with its end, which is what is waited for.
    await process.next().catch(() => {});
    relay.close();
  }
  return isMet;
}

async function look({ relay, process }) {
  process.send("tell");
  return { ...(await process.next()), counts: relay.counts() };
}

function tell(kind, before, after) {
  const wallMs = after.wallMs - before.wallMs;
  const share = (after.cpuMs - before.cpuMs) / wallMs;
  const asked = new Map();
  for (const [path, count] of Object.entries(after.counts)) {
    const times = count - (before.counts[path] ?? 0);
    if (times > 0) asked.set(path, times);
  }
  const listings = asked.get("/containers/json") ?? 0;
  // A part of an interval may hold both its ends.
  const isKept = share <= 0.01 && listings <= Math.ceil((2 * wallMs) / 60_000);
  const percent = (share * 100).toFixed(2);
  const perMinute = (listings / (wallMs / 60_000)).toFixed(1);
  const calls = [...asked].map(([path, times]) => `${path} ${times}`).join(", ");
  console.log(
    `idle for ${(wallMs / 1000).toFixed(0)} s, ${kind}: ${percent} % of a core (bar 1), ${perMinute} listings a minute (bar 2), ${after.mib.toFixed(0)} MiB ${isKept ? "met" : "NOT MET"}; asked of the engine: ${calls || "nothing"}`,
  );
  return isKept;
}
