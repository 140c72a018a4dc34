// What containers cost us, against plain Docker calls on an engine of the bench's own: how soon a server is used, what
// a first task and several deployments at once take, how soon running containers are found, and what all of it costs
// idle. Needs root on Linux, and docker.io.
//
// node bench/docker/run.mjs [--tries 40] [--pairs 10] [--idle-seconds 300] [--created 480] [--only arrival,first,many,found,idle]
import { parseArgs } from "node:util";
import { MISSED } from "../lib/ratios.mjs";
import { eventToSelectable, readyToFirstTask } from "./arrival.mjs";
import { findAll } from "./found.mjs";
import { idle } from "./idle.mjs";
import { firstTask, manyAtOnce } from "./on-demand.mjs";
import { openEngine } from "./plain.mjs";

const { values } = parseArgs({
  options: {
    tries: { type: "string", default: "40" },
    pairs: { type: "string", default: "10" },
    "idle-seconds": { type: "string", default: "300" },
    created: { type: "string", default: "480" },
    only: { type: "string", default: "arrival,first,many,found,idle" },
  },
});
const [tries, pairs, idleSeconds, created] = ["tries", "pairs", "idle-seconds", "created"].map((name) =>
  Number(values[name]),
);
const parts = {
  arrival: async (engine) => {
    const isSoon = await eventToSelectable(engine, tries);
    return (await readyToFirstTask(engine, tries)) && isSoon;
  },
  first: (engine) => firstTask(engine, pairs),
  many: (engine) => manyAtOnce(engine, pairs, 4),
  found: (engine) => findAll(engine, pairs, 20),
  idle: (engine) => idle(engine, idleSeconds, created),
};

const engine = await openEngine();
try {
  for (const name of values.only.split(",")) {
    if (parts[name] === undefined) throw new Error(`--only has no part ${name}; give ${Object.keys(parts)}`);
    if (!(await parts[name](engine))) process.exitCode = MISSED;
  }
} finally {
  await engine.close();
}
