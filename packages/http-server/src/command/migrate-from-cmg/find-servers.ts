import { cmsProtocol, type ModelServer } from "@modelgate/core";
import type { ServersContext } from "../docker/open-servers.ts";
import { openServers } from "../docker/open-servers.ts";

/** Where each model is served now, as the settings say: by the ids under which gateways will know the servers. */
export async function findServers({
  settings,
  records,
  log,
}: Pick<ServersContext, "settings" | "records" | "log">): Promise<ReadonlyMap<string, ModelServer>> {
  const closing: (() => Promise<void>)[] = [];
  const protocol = cmsProtocol();
  closing.push(() => protocol.close());
  const found = new Map<string, ModelServer>();
  try {
    const { discovery } = await openServers({
      ...{ protocol, records, log },
      settings: { ...settings, "deployments.enabled": false },
      onClose: (close) => void closing.push(close),
    });
    for (const each of discovery) {
      const stop = await each.watch((change) => {
        if (change.kind !== "snapshot") return;
        // Addresses that were given come first; of an engine's servers not all can be reached.
        for (const server of change.servers)
          for (const model of server.models) if (!found.has(model)) found.set(model, server);
      });
      stop();
    }
  } finally {
    for (const close of closing.reverse()) await close();
  }
  return found;
}
