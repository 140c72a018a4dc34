// How long does it take to find what runs already? A new discovery against one list, an inspection and a ready answer
// of each container by hand.
import { dockerDiscovery } from "@modelgate/adapters-docker/discovery";
import { cmsProtocol } from "@modelgate/core";
import { report } from "../lib/ratios.mjs";
import { untilReady } from "./plain.mjs";

const LABEL = "org.cogstack.model-serve";

export async function findAll(engine, pairs, count) {
  const ids = await Promise.all(
    Array.from({ length: count }, () => engine.create({ labels: { [LABEL]: "test" } })),
  );
  await Promise.all(ids.map((id) => engine.act(id, "start")));
  for (const id of ids) await untilReady(await engine.urlOf(id));
  const rows = [];
  try {
    for (let pair = 0; pair < pairs; pair += 1) {
      const beganMs = performance.now();
      const running = await engine.running(LABEL);
      await Promise.all(running.map(async ({ Id }) => untilReady(await engine.urlOf(Id))));
      rows.push([performance.now() - beganMs, await discover(engine, count)]);
    }
  } finally {
    await Promise.all(ids.map((id) => engine.remove(id)));
  }
  const name = `${count} running containers found and ready`;
  return report({ name, unit: "ms", base: "plain calls", own: "discovery", pairs: rows, digits: 1 });
}

async function discover(engine, count) {
  const cms = cmsProtocol();
  const beganMs = performance.now();
  const discovery = dockerDiscovery({ socketPath: engine.socket, probe: new Map([["cms", cms]]) });
  const ready = new Set();
  const note = ({ id, state }) => state === "ready" && ready.add(id);
  try {
    return await new Promise((resolve, reject) => {
      const onChange = (change) => {
        if (change.kind === "snapshot") change.servers.forEach(note);
        else if (change.kind === "upsert") note(change.server);
        if (ready.size === count) resolve(performance.now() - beganMs);
      };
      discovery.watch(onChange).catch(reject);
    });
  } finally {
    await Promise.all([discovery.close(), cms.close()]);
  }
}
