import { setTimeout as sleep } from "node:timers/promises";
import {
  cmsProtocol,
  createGateway,
  type Gateway,
  type GatewayOptions,
  staticDiscovery,
} from "@modelgate/core";

export interface RealGateway {
  readonly gateway: Gateway;
  close(): Promise<void>;
}

/** A gateway of memory parts in front of real servers, ready for work. */
export async function startGateway(
  servers: Readonly<Record<string, string>>,
  options: Partial<GatewayOptions> = {},
): Promise<RealGateway> {
  const protocol = cmsProtocol();
  const discovery = staticDiscovery({
    servers: Object.entries(servers).map(([name, url]) => ({ name, url })),
    probe: new Map([[protocol.name, protocol]]),
  });
  const gateway = createGateway({ discovery, protocols: [protocol], ...options });
  await gateway.start();
  for (const until = performance.now() + 5_000; !gateway.models().some((model) => model.isRunning); ) {
    if (performance.now() > until) throw new Error("no model server became ready");
    await sleep(10);
  }
  return {
    gateway,
    async close() {
      await gateway.stop({ drainMs: 0 });
      await discovery.close();
      await protocol.close();
    },
  };
}
