// A gateway as the benches of Docker need it: discovery, deployer and deployments over one socket, on an SQLite store.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dockerDeployer } from "@modelgate/adapters-docker/deployer";
import { dockerDiscovery } from "@modelgate/adapters-docker/discovery";
import { sqliteStore } from "@modelgate/adapters-storage/sqlite";
import { cmsProtocol, createGateway } from "@modelgate/core";

/** `isDeploying: false` is a gateway that only finds servers. `close` ends it; containers stay. */
export async function openGateway(
  socketPath,
  { image, isDeploying = true, maxConcurrent = 2, discovery: other } = {},
) {
  const directory = mkdtempSync(join(tmpdir(), "modelgate-bench-docker-"));
  const cms = cmsProtocol();
  const store = sqliteStore({ directory });
  const discovery = other ?? dockerDiscovery({ socketPath, probe: new Map([["cms", cms]]) });
  const deployer = isDeploying ? dockerDeployer({ socketPath }) : undefined;
  const template = () => ({ image, pull: "never", port: 8000 });
  const gateway = createGateway({
    discovery,
    protocols: [cms],
    ledger: store.ledger,
    ...(isDeploying && { deployments: { records: store.records, deployer, template, maxConcurrent } }),
  });
  await gateway.start();
  return {
    gateway,
    async close() {
      await gateway.stop({ drainMs: 0 });
      await Promise.all([deployer?.close(), discovery.close(), store.close(), cms.close()]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
