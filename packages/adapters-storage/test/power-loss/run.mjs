// What was accepted survives a loss of power. A shim below the store logs every write and sync; this then cuts the log
// at many places, rebuilds the directory as the disk would have it, opens it and looks for all that was acknowledged
// before the cut. Every other cut also keeps a random part of what was written and not synced.
//
// node packages/adapters-storage/test/power-loss/run.mjs [--cuts 200] [--tasks 1500] [--seed 1]
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { Disk, recordsOf } from "./disk.mjs";

const { values } = parseArgs({
  options: {
    cuts: { type: "string", default: "200" },
    tasks: { type: "string", default: "1500" },
    seed: { type: "string", default: "1" },
    /** Pretends that no sync was ever made, to show that the check can fail. */
    "without-syncs": { type: "boolean", default: false },
  },
});
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const cache = fileURLToPath(new URL("../../node_modules/.cache/power-loss/", import.meta.url));
const work = realpathSync(mkdtempSync(join(tmpdir(), "modelgate-power-")));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));

let state = Number(values.seed);
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}

if (spawnSync("gcc", ["--version"]).status !== 0) {
  console.error("SKIPPED: the check for a loss of power needs gcc");
  process.exit(process.env.CI === undefined ? 0 : 1);
}
mkdirSync(cache, { recursive: true });
writeFileSync(join(cache, "package.json"), '{"type":"module"}');
const sources = { store: "../../src/sqlite/sqlite-store.ts", worker: "../../src/sqlite/worker.ts" };
await build({
  entryPoints: Object.fromEntries(Object.entries(sources).map(([name, source]) => [name, here(source)])),
  outdir: cache,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  conditions: ["@modelgate/source"],
  external: ["libsql"],
  logLevel: "warning",
});
const shim = join(work, "shim.so");
execFileSync("gcc", ["-shared", "-fPIC", "-O1", "-w", "-o", shim, here("shim.c"), "-ldl", "-lpthread"]);

const root = join(work, "disk");
const directory = join(root, "data");
const acknowledged = join(root, "acknowledged");
const logFile = join(work, "log");
mkdirSync(root);
execFileSync(
  process.execPath,
  [here("workload.mjs"), join(cache, "store.js"), directory, acknowledged, values.tasks],
  {
    env: { ...process.env, LD_PRELOAD: shim, MODELGATE_LOG_ROOT: root, MODELGATE_LOG_FILE: logFile },
    stdio: "inherit",
  },
);

const records = [...recordsOf(readFileSync(logFile))].filter(
  ({ type }) => !values["without-syncs"] || type !== "S",
);
const wanted = Number(values.cuts);
const cuts = Array.from({ length: wanted }, (_, index) => {
  // The first moments of a new directory have their own dangers; a tenth of the cuts falls there.
  const range = index < wanted / 10 ? Math.min(200, records.length) : records.length;
  return 1 + Math.floor(random() * range);
}).sort((a, b) => a - b);

const bytesOf = (text) => new TextEncoder().encode(text.repeat(1 + ((text.length * 7919) % 200)));
const { openSqliteStore } = await import(join(cache, "store.js"));

/** What is missing from a directory of which these acknowledgements were given. */
async function missingFrom(folder, lines) {
  const { store } = openSqliteStore({ directory: folder });
  const problems = [];
  try {
    const ids = (word) =>
      lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
    const check = async (word, body, name) => {
      const tasks = await store.ledger.get(ids(word), { bodies: body });
      tasks.forEach((task, index) => {
        const id = ids(word)[index];
        if (task === undefined) problems.push(`${id} was ${word} and is gone`);
        else if (!Buffer.from(bytesOf(`${name} of ${id}`)).equals(task[body]?.inline ?? Buffer.alloc(0)))
          problems.push(`${id} lost its ${name}`);
        else if (word === "settled" && task.state !== "succeeded")
          problems.push(`${id} was settled and is ${task.state}`);
      });
    };
    await check("accepted", "payload", "payload");
    await check("settled", "result", "result");
  } catch (error) {
    problems.push(`it does not open: ${error.message} (${error.cause?.message})`);
  }
  await store.close();
  return problems;
}

const disk = new Disk();
let at = 0;
let told = "";
let failed = 0;
let checked = 0;
for (const [index, cut] of cuts.entries()) {
  for (; at < cut; at += 1) {
    const record = records[at];
    if (record.path === acknowledged) told += record.type === "W" ? record.data.toString() : "";
    else disk.apply(record);
  }
  const folder = join(work, `cut-${index}`);
  mkdirSync(folder, { recursive: true });
  for (const [path, content] of disk.afterLoss(index % 2 === 1 ? random : undefined)) {
    const file = join(folder, path.slice(directory.length));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  const lines = told.split("\n").slice(0, -1);
  const problems = await missingFrom(folder, lines);
  checked += lines.length;
  if (problems.length > 0) {
    failed += 1;
    console.log(
      `cut ${index} after ${cut} of ${records.length} records: ${problems.slice(0, 3).join("; ")} (${problems.length} in all)`,
    );
  }
  rmSync(folder, { recursive: true, force: true });
}
const syncs = records.filter(({ type }) => type === "S").length;
console.log(
  `${records.length} records, ${syncs} syncs, ${cuts.length} cuts, ${checked} acknowledgements looked for, ${failed} cuts lost something`,
);
process.exitCode = failed === 0 ? 0 : 1;
