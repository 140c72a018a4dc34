// Steady load with retention on, watched for what grows: memory, files and rows beyond what is retained.
// `node bench/soak/run.mjs [--minutes 30] [--per-second 40]`; a short form is `--minutes 2`.
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startNode } from "../lib/children.mjs";
import { residentMib } from "../lib/memory.mjs";
import { MISSED, median } from "../lib/ratios.mjs";

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "30" }, "per-second": { type: "string", default: "40" } },
});
const [minutes, perSecond] = [values.minutes, values["per-second"]].map(Number);
const totalMs = minutes * 60_000;
/** What is kept is full after so long; only then does growth mean something. */
const rowMs = Math.min(60_000, totalMs / 6);
const retention = `payloadMs=${rowMs / 2},resultMs=${rowMs / 2},rowMs=${rowMs}`;
const warmUpMs = Math.max(totalMs / 3, 2 * rowMs);
const sampleMs = Math.max(1000, totalMs / 120);

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const requireFromStorage = createRequire(here("../../packages/adapters-storage/package.json"));
const Database = requireFromStorage("libsql");

const directory = mkdtempSync(join(tmpdir(), "modelgate-soak-"));
const model = await startNode(here("../http/target.mjs"), [], /listening on (\d+)/);
const args = [
  "serve",
  "--port",
  "0",
  "--data-dir",
  directory,
  "--retention",
  retention,
  "--log-level",
  "error",
];
const server = ["--server", `m=http://127.0.0.1:${model.match[1]}`];
const gateway = await startNode(
  here("../../packages/http-server/bin/modelgate.js"),
  [...args, ...server],
  /listening on (http:\/\/[\d.]+:\d+)/,
);
const origin = gateway.match[1];

const small = "The patient was seen on 12 March 2024 in the clinic. ".repeat(40);
const large = small.repeat(40);
let sent = 0;
let ended = 0;
let failed = 0;

/** One task: most are small and waited for; some are large, some are never looked at again, some are cancelled. */
async function one(number) {
  const isLarge = number % 10 === 0;
  const answer = await fetch(`${origin}/models/m/tasks/process?priority=${number % 11}`, {
    method: "POST",
    headers: { "content-type": "text/plain", ...(number % 3 !== 0 && { prefer: "wait=10" }) },
    body: isLarge ? large : small,
  });
  const text = await answer.text();
  if (answer.status !== 200) failed += 1;
  else if (number % 21 === 0) {
    const { uuid } = JSON.parse(text);
    await (await fetch(`${origin}/tasks/${uuid}`, { method: "DELETE" })).arrayBuffer();
  }
  ended += 1;
}

function filesBelow(folder) {
  let count = 0;
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    count += 1;
    if (entry.isFile())
      bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return { count, mib: bytes / 1024 ** 2 };
}

function rows() {
  const database = new Database(join(directory, "modelgate.db"), { readonly: true, timeout: 5000 });
  try {
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    return tables.reduce(
      (sum, { name }) => sum + database.prepare(`SELECT count(*) AS n FROM "${name}"`).get().n,
      0,
    );
  } finally {
    database.close();
  }
}

/** Least squares: growth per hour, and over the samples as a share of their median. */
function slope(samples, name) {
  const points = samples.map((sample) => [sample.atMs / 3_600_000, sample[name]]);
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const under = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const perHour = over / under;
  const middle = median(points.map(([, y]) => y));
  return { perHour, middle, share: (perHour * (points.at(-1)[0] - points[0][0])) / middle };
}

const samples = [];
let isMet = true;
try {
  while (!(await fetch(`${origin}/models/m`)).ok) await sleep(100);
  const startedMs = performance.now();
  const elapsedMs = () => performance.now() - startedMs;
  const open = new Set();
  let nextSampleMs = 0;
  while (elapsedMs() < totalMs) {
    const due = Math.floor((elapsedMs() / 1000) * perSecond);
    for (; sent < due && open.size < 200; sent += 1) {
      const task = one(sent)
        .catch(() => (failed += 1))
        .finally(() => open.delete(task));
      open.add(task);
    }
    if (elapsedMs() >= nextSampleMs) {
      nextSampleMs += sampleMs;
      const files = filesBelow(directory);
      const sample = {
        atMs: elapsedMs(),
        memory: residentMib(gateway.child.pid),
        files: files.count,
        disk: files.mib,
        rows: rows(),
      };
      samples.push(sample);
      if (samples.length % 10 === 1) {
        console.log(
          `  ${(sample.atMs / 60_000).toFixed(1)} min: ${ended} tasks, ${sample.memory.toFixed(0)} MiB resident, ${sample.files} files, ${sample.disk.toFixed(0)} MiB on disk, ${sample.rows} rows`,
        );
      }
    }
    await sleep(10);
  }
  await Promise.all(open);
  const steady = samples.filter(({ atMs }) => atMs >= warmUpMs);
  for (const [name, unit] of [
    ["memory", "MiB"],
    ["files", "files"],
    ["disk", "MiB"],
    ["rows", "rows"],
  ]) {
    const { perHour, middle, share } = slope(steady, name);
    const isSteady = share <= 0.1;
    isMet &&= isSteady;
    console.log(
      `${name}: median ${middle.toFixed(0)} ${unit}, slope ${perHour.toFixed(1)} ${unit} an hour, ${(share * 100).toFixed(1)} % over the ${((totalMs - warmUpMs) / 60_000).toFixed(1)} min after the warm-up (bar 10) ${isSteady ? "met" : "NOT MET"}`,
    );
  }
  console.log(`${sent} tasks at ${perSecond} a second, ${failed} calls failed`);
  isMet &&= failed === 0 && sent >= (totalMs / 1000) * perSecond * 0.9;
} finally {
  await gateway.stop();
  await model.stop();
  rmSync(directory, { recursive: true, force: true });
}
process.exitCode = isMet ? 0 : MISSED;
