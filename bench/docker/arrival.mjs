// How long is a server there before it is used? From the engine's own time of the event to the server being selectable,
// where it answers already; and from the server's first 200 on the ready path to the first task on it.
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startNode } from "../lib/children.mjs";
import { percentile } from "../lib/ratios.mjs";
import { openGateway } from "./gateway.mjs";
import { ask, listen, TEXT, until } from "./plain.mjs";

const LABEL = "org.cogstack.model-serve";
const testServer = fileURLToPath(new URL("../../scripts/images/test-server.mjs", import.meta.url));

/** Prints a distribution; tells whether its p50 is at most `atMost`. */
function tell(name, tookMs, atMost) {
  const sorted = [...tookMs].sort((one, other) => one - other);
  const [p50, p90, most] = [percentile(sorted, 0.5), percentile(sorted, 0.9), sorted.at(-1)];
  const isMet = p50 <= atMost;
  console.log(
    `${name}, ${sorted.length} times: p50 ${p50.toFixed(1)} ms, p90 ${p90.toFixed(1)} ms, most ${most.toFixed(1)} ms (bar p50 ${atMost}) ${isMet ? "met" : "NOT MET"}`,
  );
  return isMet;
}

/**
 * A server that answers already: a container in the network of its host, whose address is one at which a server of this
 * host has been listening all the time, so that its `start` is the whole news; and a paused container that goes on.
 */
export async function eventToSelectable(engine, tries) {
  const readyAt = new Map();
  const { gateway, close } = await openGateway(engine.socket, { isDeploying: false });
  gateway.events.on("server:changed", ({ server, state }) => {
    if (state === "ready") readyAt.set(server.replace("docker:", ""), Date.now());
  });
  const { times, close: closeEvents } = await listen(engine.socket, ["start", "unpause"]);
  const took = { start: [], unpause: [] };
  const measure = async (action, id) => {
    readyAt.delete(id);
    await engine.act(id, action);
    await until(() => readyAt.has(id) && times.has(`${action} ${id}`), `${id} ready after ${action}`);
    took[action].push(readyAt.get(id) - times.get(`${action} ${id}`));
    times.delete(`${action} ${id}`);
  };
  const there = await startNode(testServer, ["--host", "127.0.0.1", "--port", "0"], /"port":(\d+)/);
  const labels = { [LABEL]: "test", "modelgate.port": there.match[1] };
  try {
    for (let at = 0; at < tries; at += 1) {
      const id = await engine.create({ labels, host: { NetworkMode: "host" } });
      await measure("start", id);
      await engine.remove(id);
    }
    const id = await engine.create({ labels: { [LABEL]: "test" } });
    await engine.act(id, "start");
    await until(() => readyAt.has(id), `${id} ready`);
    for (let at = 0; at < tries; at += 1) {
      await engine.act(id, "pause");
      await sleep(50);
      await measure("unpause", id);
    }
    await engine.remove(id);
  } finally {
    closeEvents();
    await close();
    await there.stop();
  }
  const name = (action) => `from the time of \`${action}\` to selectable`;
  const isMet = ["start", "unpause"].map((action) => tell(name(action), took[action], 20));
  return isMet.every(Boolean);
}

/** Both by the server's clock: a task waits while the server loads. */
export async function readyToFirstTask(engine, tries) {
  const { gateway, close } = await openGateway(engine.socket, { isDeploying: false });
  const took = [];
  const sinceReady = [];
  try {
    for (let at = 0; at < tries; at += 1) {
      const model = `late-${at}`;
      // Not in step with the probes, which come at the same distances after each start.
      const env = [`START_DELAY_MS=${600 + 37 * (at % 20)}`];
      const id = await engine.create({ env, labels: { [LABEL]: "test", "modelgate.model": model } });
      await engine.act(id, "start");
      await until(() => gateway.models().some(({ name }) => name === model), `model ${model}`);
      const task = await gateway.submit({ model, operation: "process", payload: TEXT });
      const { state } = await gateway.wait(task.id, { timeoutMs: 30_000 });
      if (state !== "succeeded") throw new Error(`a task ended as ${state}`);
      const { firstAt, readyAt } = JSON.parse((await ask(`${await engine.urlOf(id)}/counts`)).text);
      took.push(firstAt["/process"] - firstAt["/readyz"]);
      sinceReady.push(firstAt["/process"] - readyAt);
      await engine.remove(id);
    }
  } finally {
    await close();
  }
  const isMet = tell("from its first 200 on /readyz to its first task", took, 50);
  const p50 = percentile(
    [...sinceReady].sort((one, other) => one - other),
    0.5,
  );
  console.log(
    `  from the moment in which it could have answered so: p50 ${p50.toFixed(1)} ms, for information`,
  );
  return isMet;
}
