import { type DockerDeployerOptions, dockerDeployer } from "@modelgate/adapters-docker/deployer";
import { type DockerDiscoveryOptions, dockerDiscovery } from "@modelgate/adapters-docker/discovery";
import {
  cmsProtocol,
  createGateway,
  type DeploymentsOptions,
  type Gateway,
  type GatewayOptions,
  type Ledger,
  type RecordStore,
} from "@modelgate/core";
import { memoryLedger, memoryObjectStore, memoryRecordStore, memoryTracking } from "@modelgate/core/memory";
import { Api, unique } from "../../../../adapters-docker/test/deployer/support/api.ts";
import type { HttpOptions } from "../../../src/index.ts";
import { serveHttp } from "../../../src/node.ts";
import { type Answer, call } from "../../support/http-client.ts";
import { templateOf } from "./template.ts";

const ADMIN_KEY = "the-key-of-the-admins";

/** What the tracker of these tests knows. */
export const TRACKED = { uri: "models:/umls/3", type: "medcat_umls", runId: "run-1" } as const;

/** Faster than the usual, so that tests need not wait. */
const PACE = { intervalMs: 100, firstRetryMs: 20, maxRetryMs: 100, probeTimeoutMs: 2_000 } as const;

export interface InstallationOptions {
  readonly socketPath: string;
  readonly image: string;
  /** Compose project and network of another installation, whose neighbour this one is. */
  readonly beside?: Installation | undefined;
  readonly deployments?: Partial<DeploymentsOptions> | undefined;
  readonly discovery?: Partial<DockerDiscoveryOptions> | undefined;
  /** `false`: its gateways only find servers. */
  readonly deployer?: DockerDeployerOptions | false | undefined;
  readonly gateway?: Partial<GatewayOptions> | undefined;
  readonly http?: HttpOptions | undefined;
}

/** One gateway of an installation, as callers reach it. */
export interface OpenGateway {
  readonly url: string;
  readonly gateway: Gateway;
  readonly faults: unknown[];
  close(): Promise<void>;
}

/**
 * What gateways of one installation share, on a real engine: the stores, a compose project that keeps them apart from
 * other tests of the engine, and a network. All of it is gone when it was closed.
 */
export class Installation {
  readonly api: Api;
  /** The compose project, the network, and what names of models end with. */
  readonly id: string;
  readonly network: string;
  readonly ledger: Ledger = memoryLedger();
  readonly records: RecordStore = memoryRecordStore();
  readonly objects = memoryObjectStore();
  readonly #options: InstallationOptions;
  readonly #open = new Set<OpenGateway>();

  private constructor(options: InstallationOptions) {
    this.#options = options;
    this.api = new Api(options.socketPath);
    this.id = options.beside?.id ?? unique("http");
    this.network = this.id;
  }

  static async open(options: InstallationOptions): Promise<Installation> {
    const installation = new Installation(options);
    if (options.beside === undefined) {
      await installation.api.need("POST", "/networks/create", { Name: installation.network });
    }
    return installation;
  }

  /** A name that no container of the engine has. */
  model(name: string): string {
    return `${name}-${this.id}`;
  }

  async gateway(parts: Partial<InstallationOptions> = {}): Promise<OpenGateway> {
    const options = { ...this.#options, ...parts };
    const { socketPath, deployments, discovery: found, deployer: made, gateway: more, http } = options;
    const protocol = cmsProtocol({ keepAliveMs: 500 });
    const labels = { project: this.id, network: this.network };
    const discovery = dockerDiscovery({
      ...{ socketPath, probe: new Map([["cms", protocol]]), address: "network" },
      ...{ ...labels, ...PACE, ...found },
    });
    const deployer = made === false ? undefined : dockerDeployer({ socketPath, ...labels, ...made });
    const gateway = createGateway({
      ...{ discovery, protocols: [protocol], ledger: this.ledger, objects: this.objects },
      ...{ leaseMs: 2_000, pollMs: 50 },
      deployments: {
        ...{ records: this.records, deployer, template: templateOf(options.image) },
        ...{ tracking: memoryTracking([TRACKED]), attempts: 1, retryMs: 100, failedRetryMs: 500 },
        ...{ readyTimeoutMs: 15_000, drainMs: 2_000, stopGraceMs: 1_000, minResidencyMs: 0 },
        ...deployments,
      },
      ...more,
    });
    await gateway.start();
    const faults: unknown[] = [];
    const onError = (error: unknown): void => void faults.push(error);
    const host = await serveHttp(gateway, { adminKey: ADMIN_KEY, onError, ...http, port: 0 });
    const open: OpenGateway = {
      ...{ url: host.url, gateway, faults },
      close: async () => {
        if (!this.#open.delete(open)) return;
        await host.close({ drainMs: 0 });
        await gateway.stop({ drainMs: 0 });
        await Promise.all([discovery.close(), deployer?.close(), protocol.close()]);
      },
    };
    this.#open.add(open);
    return open;
  }

  /** Ends all its gateways; the stores and the servers stay. */
  async closeGateways(): Promise<void> {
    await Promise.all([...this.#open].map((each) => each.close()));
  }

  async close(): Promise<void> {
    await this.closeGateways();
    await this.api.removeAll({ label: [`com.docker.compose.project=${this.id}`] });
    if (this.#options.beside === undefined) await this.api.call("DELETE", `/networks/${this.network}`);
    await Promise.all([this.ledger.close(), this.records.close(), this.objects.close()]);
  }
}

/** A request of an administrator. */
export function send(url: string, method: string, path: string, body?: unknown): Promise<Answer> {
  return call(url, path, {
    method,
    headers: { "x-modelgate-key": ADMIN_KEY, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}
