// Each weakness of CogStack's own gateway has a test here that is said to keep it away. A test that has never failed
// proves nothing, so this puts every weakness back, one after the other, into a copy of the tree, and looks whether the
// test that is named for it goes red. Weaknesses that cannot exist here, and those that are still open, say why. It
// exits with 1 when a test did not notice its weakness. docs/explanation/upstream-weaknesses.md is the table for people.
//
//   npm run weaknesses -- [--only W-5,W-30] [--services pg,docker] [--list]
//
// Without --services every server is started that the chosen rows want; "none" leaves out the rows that want one.

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startServices } from "./services/launcher.mjs";
import { copyTree } from "./weaknesses/copy-tree.mjs";
import { proveRow } from "./weaknesses/prove-row.mjs";
import { rows } from "./weaknesses/rows.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

function usage(sentence) {
  console.error(
    `${sentence}\n\nnpm run weaknesses -- [--only W-5,W-30] [--services pg,docker|none] [--list]`,
  );
  process.exit(2);
}

function readArguments() {
  const options = {
    only: { type: "string" },
    services: { type: "string" },
    list: { type: "boolean", default: false },
  };
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return usage(error.message);
  }
}

const split = (text) => text.split(",").filter((part) => part !== "");

function chosenRows({ only, services }) {
  const ids = only === undefined ? undefined : split(only);
  const unknown = ids?.find((id) => !rows.some((row) => row.id === id));
  if (unknown !== undefined) usage(`--only names ${unknown}; give some of W-1 to W-68, separated by commas`);
  const chosen = rows.filter(({ id }) => ids === undefined || ids.includes(id));
  if (services === undefined) return { chosen, leftOut: [] };
  const allowed = services === "none" ? [] : split(services);
  const isAllowed = ({ test }) => (test?.services ?? []).every((name) => allowed.includes(name));
  return { chosen: chosen.filter(isAllowed), leftOut: chosen.filter((row) => !isAllowed(row)) };
}

function print({ id, title }, outcome, details = []) {
  console.log(`${id.padEnd(5)} ${outcome.padEnd(10)} ${title}`);
  for (const detail of details) console.log(`${" ".repeat(17)}${detail}`);
}

const values = readArguments();
const { chosen, leftOut } = chosenRows(values);
const kindOf = (row) => ["impossible", "open"].find((kind) => row[kind] !== undefined) ?? "to prove";

if (values.list) {
  for (const row of chosen) {
    const { test } = row;
    print(row, kindOf(row), [row.impossible ?? row.open ?? `${test.file}: ${test.name}`]);
  }
  process.exit(0);
}

const counts = { caught: 0, impossible: 0, open: 0, missed: 0 };
const proved = chosen.filter((row) => kindOf(row) === "to prove");
const wanted = [...new Set(proved.flatMap(({ test }) => test.services ?? []))];
const started = await startServices(wanted, { say: (line) => console.error(`[services] ${line}`) });
const tree = proved.length === 0 ? undefined : copyTree(root);

async function end(code) {
  tree?.remove();
  await started.close();
  process.exit(code);
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => void end(1));

try {
  const failedServices = new Map(started.failed.map(({ name, reason }) => [name, reason]));
  const greens = new Map();
  for (const row of chosen) {
    const kind = kindOf(row);
    if (kind !== "to prove") {
      counts[kind] += 1;
      print(row, kind, [row[kind]]);
      continue;
    }
    const lacking = row.test.services?.find((name) => failedServices.has(name));
    const proof =
      lacking === undefined
        ? await proveRow(row, { folder: tree.folder, env: started.env, greens, all: proved })
        : { isCaught: false, details: [`${lacking} ${failedServices.get(lacking)}`] };
    counts[proof.isCaught ? "caught" : "missed"] += 1;
    print(row, proof.isCaught ? "caught" : "MISSED", proof.details);
  }
} catch (error) {
  console.error(error);
  await end(1);
}
if (leftOut.length > 0) {
  console.log(`Not run, because of --services: ${leftOut.map(({ id }) => id).join(", ")}`);
}
const { caught, impossible, open, missed } = counts;
console.log(`${caught} caught, ${impossible} impossible, ${open} open, ${missed} missed`);
await end(missed === 0 ? 0 : 1);
