import type { LogLine, ServerSpec } from "@modelgate/core";
import type { DeployerFixture } from "@modelgate/core/testing";
import { type DockerDeployerOptions, dockerDeployer } from "../../src/deployer/index.ts";
import { Api, unique } from "./support/api.ts";
import { engine } from "./support/engine.ts";

export const NODE = "/usr/bin/node";
export const SERVER: readonly string[] = [NODE, "/app/test-server.mjs"];

/** Writes what its argument says, and ends or waits to be asked to. */
const WRITER = `
const { lines, exitCode } = JSON.parse(process.argv[1]);
process.on("SIGTERM", () => process.exit(0));
for (const { stream, text } of lines) process[stream].write(text + "\\n");
if (exitCode === undefined) setInterval(() => {}, 1e6);
else process.exitCode = exitCode;
`;

export function serverSpec(parts: Partial<ServerSpec> = {}): ServerSpec {
  return { image: engine.image, command: SERVER, port: 8000, ...parts };
}

export function writerSpec(lines: readonly LogLine[], exitCode?: number): ServerSpec {
  return serverSpec({ command: [NODE, "-e", WRITER, JSON.stringify({ lines, exitCode })] });
}

/** A network of its own for a test file. */
export async function makeNetwork(api: Api): Promise<{ name: string; remove: () => Promise<void> }> {
  const name = unique("deployer-test");
  await api.need("POST", "/networks/create", { Name: name });
  return { name, remove: async () => void (await api.call("DELETE", `/networks/${name}`)) };
}

export interface KitOptions extends DockerDeployerOptions {
  readonly network: string;
}

/** What the kit works on, but for what concerns the connection. */
export function kitFixture(
  options: KitOptions,
): DeployerFixture & { readonly opened: { close(): Promise<void> }[] } {
  const api = new Api(engine.socketPath);
  const installation = unique("kit");
  const { registry } = engine;
  const credentials = { username: registry.username, password: registry.password };
  const full: DockerDeployerOptions = { registries: { [registry.host]: credentials }, ...options };
  const deployer = dockerDeployer(full);
  const opened: { close(): Promise<void> }[] = [deployer];
  const strangers: string[] = [];
  const images: string[] = [];
  return {
    opened,
    deployer,
    installation,
    spec: serverSpec,
    command: SERVER,
    writer: writerSpec,
    missingImage: `${registry.host}/modelgate/no-such-image:1`,
    async another() {
      const other = dockerDeployer(full);
      opened.push(other);
      return other;
    },
    registry: {
      async image() {
        const image = await pushedImage(api);
        images.push(image);
        return image;
      },
    },
    unstartable: () => serverSpec({ command: ["/no/such/program"] }),
    greedy: () =>
      serverSpec({
        command: [...SERVER, "--allocate-mb", "400"],
        limits: { memoryBytes: 64 * 1024 * 1024 },
      }),
    stubborn: () => serverSpec({ command: [...SERVER, "--ignore-sigterm"] }),
    async stranger(model) {
      const id = await api.run(unique("stranger"), {
        Image: engine.image,
        HostConfig: { NetworkMode: options.network },
        NetworkingConfig: { EndpointsConfig: { [options.network]: { Aliases: [model] } } },
      });
      strangers.push(id);
      const { StartedAt } = (await api.inspect(id)).State;
      return {
        id,
        isUntouched: async () => {
          const { State } = await api.inspect(id);
          return State.Running && State.StartedAt === StartedAt;
        },
      };
    },
    kill: async (id) => void (await api.need("POST", `/containers/${id}/kill`)),
    async received({ id }) {
      const { argv, env } = (await ask(api, id, "/argv")) as {
        argv: string[];
        env: Record<string, string>;
      };
      return { arguments: argv, env };
    },
    async close() {
      for (const each of opened) await each.close();
      for (const id of strangers) await api.removeContainer(id);
      for (const whose of [installation, `${installation}-other`]) {
        await api.removeAll({ label: [`modelgate.installation=${whose}`] });
      }
      for (const image of images) await api.call("DELETE", `/images/${image}?force=1`);
    },
  };
}

/** Asks a server inside its network, as soon as it listens. */
export async function ask(api: Api, id: string, path: string): Promise<unknown> {
  const { Networks } = (await api.inspect(id)).NetworkSettings;
  const address = Object.values(Networks)[0]?.IPAddress;
  const url = `http://${address}:8000${path}`;
  for (let left = 200; ; left -= 1) {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(1000) });
      return await answer.json();
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Makes an image that is in the registry alone, and is no other's; resolves its name. */
export async function pushedImage(api: Api): Promise<string> {
  const { registry } = engine;
  const repository = `${registry.host}/modelgate/${unique("pushed")}`;
  const body = { Image: engine.image, Labels: { unique: repository } };
  const { Id } = await api.need<{ Id: string }>("POST", "/containers/create", body);
  await api.need("POST", `/commit?container=${Id}&repo=${repository}&tag=1`);
  await api.removeContainer(Id);
  const auth = { username: registry.username, password: registry.password, serveraddress: registry.host };
  const encoded = Buffer.from(JSON.stringify(auth))
    .toString("base64")
    .replaceAll("+", "-")
    .replaceAll("/", "_");
  const pushed = await api.need<string>("POST", `/images/${repository}/push?tag=1`, undefined, {
    "x-registry-auth": encoded,
  });
  if (String(pushed).includes("errorDetail")) throw new Error(`the push failed: ${pushed}`);
  await api.need("DELETE", `/images/${repository}:1`);
  return `${repository}:1`;
}
