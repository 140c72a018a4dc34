import {
  cmsProtocol,
  createGateway,
  type Gateway,
  type GatewayOptions,
  staticDiscovery,
} from "@modelgate/core";
import { expect } from "vitest";

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
  await expect.poll(() => gateway.models().filter((model) => model.isRunning).length).toBeGreaterThan(0);
  return {
    gateway,
    async close() {
      await gateway.stop({ drainMs: 0 });
      await discovery.close();
      await protocol.close();
    },
  };
}
