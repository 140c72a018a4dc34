import { dockerDeployer } from "@modelgate/adapters-docker/deployer";
import { dockerDiscovery } from "@modelgate/adapters-docker/discovery";
import { sqliteStore } from "@modelgate/adapters-storage/sqlite";
import { cmsProtocol, createGateway, type Gateway } from "@modelgate/core";

export interface OpenGateway {
  readonly gateway: Gateway;
  /** Hands over what it drives and ends; the containers stay. */
  close(): Promise<void>;
}

export interface GatewayParts {
  readonly name: string;
  readonly socketPath: string;
  /** Where the store is. Gateways on one directory are one installation. */
  readonly directory: string;
  /** Begins the names of containers, so that they meet nobody else's. */
  readonly prefix: string;
}

/** A gateway as each process of an installation would make it. */
export async function openGateway(parts: GatewayParts): Promise<OpenGateway> {
  const { name, socketPath, directory, prefix } = parts;
  const cms = cmsProtocol();
  const store = sqliteStore({ directory });
  const discovery = dockerDiscovery({ socketPath, probe: new Map([["cms", cms]]) });
  const deployer = dockerDeployer({ socketPath, namePrefix: prefix });
  const gateway = createGateway({
    name,
    discovery,
    protocols: [cms],
    ledger: store.ledger,
    leaseMs: 3_000,
    deployments: {
      records: store.records,
      deployer,
      // The image is the deployer's business, so it comes from here and never from a request.
      template: () => ({
        image: "modelgate/nlp-server:local",
        pull: "never",
        port: 8000,
        limits: { memoryBytes: 512 * 1024 ** 2 },
      }),
      stopGraceMs: 2_000,
    },
  });
  const close = async (): Promise<void> => {
    await gateway.stop({ drainMs: 1_000 });
    await Promise.all([store.close(), deployer.close(), discovery.close(), cms.close()]);
  };
  try {
    await gateway.start();
  } catch (error) {
    await close();
    throw error;
  }
  return { gateway, close };
}
