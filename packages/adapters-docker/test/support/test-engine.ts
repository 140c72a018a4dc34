import { readFileSync } from "node:fs";
import { EngineConnection } from "../../src/connection/connection.ts";
import { EngineError } from "../../src/connection/engine-error.ts";
import type { DockerConnectionOptions } from "../../src/connection/options.ts";
import { DEFAULT_LABELS } from "../../src/labels.ts";
import { MODEL_SERVER } from "./model-server.ts";

export interface ContainerSpec {
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly env?: readonly string[];
  readonly image?: string;
  readonly entrypoint?: readonly string[];
  readonly host?: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly networks?: Readonly<Record<string, object>>;
}

/** What tests look at. */
export interface Inspected {
  readonly State: { readonly Status: string; readonly StartedAt: string };
  readonly NetworkSettings: {
    readonly Ports: Readonly<Record<string, readonly { readonly HostPort: string }[] | null>>;
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>>;
  };
}

let made = 0;

/** A name that nothing else on the engine has. */
export function unique(prefix: string): string {
  made += 1;
  return `${prefix}-${process.pid}-${made}-${Math.random().toString(36).slice(2, 8)}`;
}

/** What a person or another tool does to containers. All of it carries one project, and is removed at the end. */
export class TestEngine {
  readonly project: string = unique("project");
  readonly connection: EngineConnection;
  readonly #image: string;
  readonly #containers = new Set<string>();
  readonly #networks = new Set<string>();

  constructor(options: DockerConnectionOptions, image: string) {
    this.connection = new EngineConnection({ timeoutMs: 60_000, ...options });
    this.#image = image;
  }

  /** Creates a container with a model server. */
  async create(spec: ContainerSpec = {}): Promise<string> {
    const { name = unique("server"), labels = {}, env = [], host = {}, config = {}, networks } = spec;
    const { body } = await this.connection.call({
      method: "POST",
      path: "/containers/create",
      query: { name },
      body: {
        Image: spec.image ?? this.#image,
        Entrypoint: spec.entrypoint ?? MODEL_SERVER,
        Env: env,
        ExposedPorts: { "8000/tcp": {} },
        Labels: {
          [DEFAULT_LABELS.modelServe]: "medcat_snomed",
          [DEFAULT_LABELS.composeProject]: this.project,
          ...labels,
        },
        HostConfig: { PublishAllPorts: true, ...host },
        ...(networks === undefined ? {} : { NetworkingConfig: { EndpointsConfig: networks } }),
        ...config,
      },
    });
    const { Id } = body as { Id: string };
    this.#containers.add(Id);
    return Id;
  }

  /** Creates and starts one. */
  async run(spec: ContainerSpec = {}): Promise<string> {
    const id = await this.create(spec);
    await this.act(id, "start");
    return id;
  }

  /** `start`, `pause`, `rename?name=x`, `stop?t=60`, … */
  async act(id: string, action: string): Promise<void> {
    const [path, query = ""] = action.split("?");
    await this.connection.call({
      method: "POST",
      path: `/containers/${id}/${path}`,
      query: Object.fromEntries(new URLSearchParams(query)),
      accept: [304],
    });
  }

  async inspect(id: string): Promise<Inspected> {
    return (await this.connection.call({ path: `/containers/${id}/json` })).body as Inspected;
  }

  async remove(id: string): Promise<void> {
    await this.connection
      .call({ method: "DELETE", path: `/containers/${id}`, query: { force: true, v: true } })
      .catch((error: unknown) => {
        if (!EngineError.is(error, 404) && !EngineError.is(error, 409)) throw error;
      });
    this.#containers.delete(id);
  }

  async createNetwork(name: string = unique("network")): Promise<string> {
    await this.connection.call({ method: "POST", path: "/networks/create", body: { Name: name } });
    this.#networks.add(name);
    return name;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#containers].map((id) => this.remove(id)));
    for (const name of this.#networks) {
      await this.connection.call({ method: "DELETE", path: `/networks/${name}` }).catch(() => {});
    }
    this.connection.close();
  }
}

/** The engine of `npm run services` over TLS. */
export function tlsOptions(host: string, folder: string): DockerConnectionOptions {
  const pem = (name: string): string => readFileSync(`${folder}/${name}.pem`, "utf8");
  return { host, tls: { ca: pem("ca"), cert: pem("cert"), key: pem("key") } };
}
