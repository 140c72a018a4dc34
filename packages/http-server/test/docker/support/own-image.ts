import { randomBytes } from "node:crypto";
import Dockerode from "dockerode";

export interface OwnImage {
  readonly name: string;
  /** For the gateways that pull it. */
  readonly settings: object;
  remove(): Promise<void>;
}

/** The test server's image under a name of its own in the registry, so that it can be pulled beside other tests. */
export async function pushImage(enginePath: string): Promise<OwnImage> {
  const docker = new Dockerode({ socketPath: enginePath });
  const host = process.env["DOCKER_REGISTRY"] ?? "";
  const username = process.env["DOCKER_REGISTRY_USER"] ?? "";
  const password = process.env["DOCKER_REGISTRY_PASSWORD"] ?? "";
  const repo = `${host}/modelgate/crash-${randomBytes(4).toString("hex")}`;
  const name = `${repo}:1`;
  await docker.getImage(process.env["DOCKER_TEST_IMAGE"] ?? "").tag({ repo, tag: "1" });
  const authconfig = { username, password, serveraddress: host };
  const pushing = await docker.getImage(repo).push({ tag: "1", authconfig });
  const lines: { readonly error?: string }[] = await new Promise((resolve, reject) => {
    docker.modem.followProgress(pushing, (error, output) => (error ? reject(error) : resolve(output)));
  });
  const refusal = lines.find(({ error }) => error !== undefined)?.error;
  if (refusal !== undefined) throw new Error(`the image could not be pushed: ${refusal}`);
  return {
    name,
    settings: { registries: { [host]: { username, password } } },
    async remove() {
      await docker.getImage(name).remove();
    },
  };
}
