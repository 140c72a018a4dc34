import type { DeployedServer, Deployer, DeploymentIdentity, ServerSpec } from "@modelgate/core";
import { GatewayError } from "@modelgate/core";
import { onTestFinished } from "vitest";
import { type DockerDeployerOptions, dockerDeployer } from "../../../src/deployer/index.ts";
import { Api, unique } from "./api.ts";
import { engine } from "./engine.ts";

export const MIB: number = 1024 * 1024;

/** A deployer with an installation of its own, and what is needed around it. All of it is gone when the test is over. */
export class Bench {
  readonly api: Api;
  readonly deployer: Deployer;
  readonly installation: string = unique("bench");

  constructor(options: DockerDeployerOptions = {}, socketPath: string = engine.socketPath) {
    this.api = new Api(socketPath);
    this.deployer = dockerDeployer({ socketPath, ...options });
    onTestFinished(async () => {
      await this.deployer.close();
      await this.api.removeAll({ label: [`modelgate.installation=${this.installation}`] });
    });
  }

  identity(model: string = this.installation, parts: Partial<DeploymentIdentity> = {}): DeploymentIdentity {
    return { installation: this.installation, model, generation: "1", kind: "auto", ...parts };
  }

  async make(spec: ServerSpec, model?: string): Promise<DeployedServer> {
    return await this.deployer.create(spec, this.identity(model));
  }

  async run(spec: ServerSpec, model?: string): Promise<DeployedServer> {
    const server = await this.make(spec, model);
    await this.deployer.start(server.id, { installation: this.installation });
    return server;
  }

  async remove({ id }: DeployedServer, graceMs: number = 0): Promise<void> {
    await this.deployer.remove(id, { installation: this.installation, graceMs });
  }

  async list(): Promise<readonly DeployedServer[]> {
    return await this.deployer.list(this.installation);
  }

  /** Waits until it has ended. */
  async end({ id }: DeployedServer): Promise<DeployedServer> {
    let found: DeployedServer | undefined;
    await until("it has ended", async () => {
      found = (await this.list()).find((server) => server.id === id);
      return found?.state === "stopped";
    });
    return found as DeployedServer;
  }

  /** A container of somebody else's. */
  async stranger(name: string, body: object = {}): Promise<string> {
    const id = await this.api.run(name, { Image: engine.image, ...body });
    onTestFinished(async () => await this.api.removeContainer(id));
    return id;
  }

  async network(): Promise<string> {
    const name = unique("bench-net");
    await this.api.need("POST", "/networks/create", { Name: name });
    // What is registered later is done earlier: its servers are gone by then only if this comes first.
    networks.push(name);
    return name;
  }
}

const networks: string[] = [];

/** At the end of a file, when no server is left. */
export async function removeNetworks(): Promise<void> {
  const api = new Api(engine.socketPath);
  for (const name of networks.splice(0)) await api.call("DELETE", `/networks/${name}`);
}

/** The error of a call; fails when there is none, or one that is not ours. */
export async function errorOf(call: Promise<unknown>): Promise<GatewayError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (GatewayError.is(error)) return error;
  throw error ?? new Error("it did not reject");
}

export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  patienceMs: number = 10_000,
): Promise<void> {
  const untilMs = performance.now() + patienceMs;
  while (!(await holds())) {
    if (performance.now() > untilMs) throw new Error(`${what}: it is not so after ${patienceMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
