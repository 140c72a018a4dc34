import { readFileSync } from "node:fs";
import type { DockerDeployerOptions } from "@modelgate/adapters-docker/deployer";
import type { DockerDiscoveryOptions } from "@modelgate/adapters-docker/discovery";
import { CommandError } from "../command-error.ts";
import { EXIT } from "../exit-codes.ts";
import { whereToGive } from "../settings/names.ts";
import type { Settings } from "../settings/settings.ts";
import { readPem } from "../stores/read-pem.ts";

type ConnectionOptions = Pick<DockerDeployerOptions, "socketPath" | "host" | "tls" | "timeoutMs">;

/** Where the engine is. Throws `CommandError` for a certificate that cannot be read. */
function connectionOptions(settings: Settings): ConnectionOptions {
  const tls = {
    ca: readPem(settings, "docker.tls.caFile"),
    cert: readPem(settings, "docker.tls.certFile"),
    key: readPem(settings, "docker.tls.keyFile"),
  };
  return {
    socketPath: settings["docker.socket"],
    host: settings["docker.host"],
    ...(Object.values(tls).some((text) => text !== undefined) && { tls }),
    timeoutMs: settings["docker.timeoutMs"],
  };
}

/** What the settings say of the engine, for whoever looks for servers there. */
export function discoveryOptions(
  settings: Settings,
): Omit<DockerDiscoveryOptions, "probe" | "onWarning" | "clock"> {
  return {
    ...connectionOptions(settings),
    labels: settings["docker.labels"],
    onlyLabelled: settings["docker.onlyLabelled"],
    project: settings["docker.project"],
    network: settings["docker.network"],
    address: settings["docker.address"],
    proxyUrl: settings["docker.proxyUrl"],
    publishedHost: settings["docker.publishedHost"],
    port: settings["docker.port"],
  };
}

/** What the settings say of the engine, for whoever starts servers there. */
export function deployerOptions(settings: Settings): DockerDeployerOptions {
  const { "docker.publish": hostAddress } = settings;
  return {
    ...connectionOptions(settings),
    labels: settings["docker.labels"],
    network: settings["docker.network"],
    namePrefix: settings["docker.namePrefix"],
    project: settings["docker.project"],
    registries: settings["docker.registries"],
    dockerConfigFile: configFile(settings),
    publish: hostAddress === undefined ? undefined : { hostAddress },
    allowedHostPaths: settings["docker.hostPaths"],
    platform: settings["docker.platform"],
    startTimeoutMs: settings["docker.startTimeoutMs"],
    pullIdleTimeoutMs: settings["docker.pullIdleTimeoutMs"],
  };
}

/** The adapter reads it at each pull, when nobody is there any more to be told that it cannot be read. */
function configFile({ "docker.configFile": path }: Settings): string | undefined {
  if (path === undefined) return undefined;
  try {
    JSON.parse(readFileSync(path, "utf8"));
    return path;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === undefined ? "is not JSON" : `cannot be read (${code})`;
    throw new CommandError(EXIT.failed, `${whereToGive("docker.configFile")} names ${path}, which ${why}.`);
  }
}
