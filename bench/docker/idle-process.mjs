// A process whose processor time is measured. Tells when all servers are ready, and then what it has used when asked.
import { dockerDiscovery } from "@modelgate/adapters-docker/discovery";
import { cmsProtocol, staticDiscovery } from "@modelgate/core";
import { residentMib } from "../lib/memory.mjs";
import { openGateway } from "./gateway.mjs";
import { until } from "./plain.mjs";

const [socketPath, kind, image, count] = process.argv.slice(2);

async function openDiscovery() {
  const discovery = dockerDiscovery({ socketPath, probe: new Map([["cms", cmsProtocol()]]) });
  const ready = new Set();
  const note = ({ id, state }) => (state === "ready" ? ready.add(id) : ready.delete(id));
  await discovery.watch((change) => {
    if (change.kind === "snapshot") change.servers.forEach(note);
    else if (change.kind === "upsert") note(change.server);
  });
  return { isReady: () => ready.size === Number(count), close: () => discovery.close() };
}

async function openWhole() {
  const { gateway, close } = await openGateway(socketPath, { image, isDeploying: kind === "deploys" });
  const isReady = () => gateway.models().filter(({ isRunning }) => isRunning).length === Number(count);
  return { isReady, close };
}

async function openWithout() {
  const { close } = await openGateway(socketPath, {
    discovery: staticDiscovery({ servers: [], probe: new Map() }),
    isDeploying: false,
  });
  return { isReady: () => true, close };
}

const openers = {
  discovery: openDiscovery,
  finds: openWhole,
  deploys: openWhole,
  "no-docker": openWithout,
};
const { isReady, close } = await openers[kind]();
await until(isReady, `${count} ready servers`);
process.send("settled");
process.on("message", async (message) => {
  if (message === "end") {
    await close();
    process.exit();
  }
  const { user, system } = process.cpuUsage();
  const mib = residentMib(process.pid);
  process.send({ cpuMs: (user + system) / 1000, wallMs: performance.now(), mib });
});
