// What deploying costs: a first task for a model that runs nowhere, and several deployments at once, against create,
// start, ask until ready and call by hand, with the same image on the same engine.
import { report } from "../lib/ratios.mjs";
import { openGateway } from "./gateway.mjs";
import { ask, TEXT, untilReady } from "./plain.mjs";

async function plainServer(engine) {
  const id = await engine.create();
  await engine.act(id, "start");
  const url = await engine.urlOf(id);
  await untilReady(url);
  return { id, url };
}

async function timed(work) {
  const beganMs = performance.now();
  const made = await work();
  return { made, tookMs: performance.now() - beganMs };
}

/** From the submit to the result, the container being created for it. */
export async function firstTask(engine, pairs) {
  const { gateway, close } = await openGateway(engine.socket, { image: engine.image });
  const { deployments } = gateway;
  const rows = [];
  try {
    for (let at = 0; at < pairs; at += 1) {
      const plain = await timed(async () => {
        const server = await plainServer(engine);
        const { status } = await ask(`${server.url}/process`, TEXT);
        if (status !== 200) throw new Error(`a plain call was answered with ${status}`);
        return server;
      });
      await engine.remove(plain.made.id);

      const model = `first-${at}`;
      await deployments.configurations.create({ model, modelUri: "bench:model" });
      const own = await timed(async () => {
        const { id } = await gateway.submit({ model, operation: "process", payload: TEXT });
        const { state } = await gateway.wait(id, { timeoutMs: 60_000 });
        if (state !== "succeeded") throw new Error(`a task ended as ${state}`);
        return await gateway.result(id);
      });
      await deployments.configurations.disable(model);
      await deployments.remove(model);
      rows.push([plain.tookMs, own.tookMs]);
    }
  } finally {
    await close();
  }
  const base = "plain calls";
  return report({ name: "submit to result of a first task", unit: "ms", base, own: "gateway", pairs: rows });
}

/** Until `count` servers that were asked for at once are all ready. */
export async function manyAtOnce(engine, pairs, count) {
  const parts = { image: engine.image, maxConcurrent: count };
  const { gateway, close } = await openGateway(engine.socket, parts);
  const { deployments } = gateway;
  const each = Array.from({ length: count }, (_, at) => at);
  const rows = [];
  try {
    for (let pair = 0; pair < pairs; pair += 1) {
      const plain = await timed(() => Promise.all(each.map(() => plainServer(engine))));
      await Promise.all(plain.made.map(({ id }) => engine.remove(id)));

      const models = each.map((at) => `many-${pair}-${at}`);
      const own = await timed(() =>
        Promise.all(
          models.map(async (model) => {
            await deployments.deploy({ model, modelUri: "bench:model" });
            const { state } = await deployments.settled(model, { until: "ready", timeoutMs: 60_000 });
            if (state !== "ready") throw new Error(`a deployment is ${state}`);
          }),
        ),
      );
      await Promise.all(models.map((model) => deployments.remove(model)));
      rows.push([plain.tookMs, own.tookMs]);
    }
  } finally {
    await close();
  }
  const name = `${count} deployments at once until all are ready`;
  return report({ name, unit: "ms", base: "plain calls", own: "gateway", pairs: rows });
}
