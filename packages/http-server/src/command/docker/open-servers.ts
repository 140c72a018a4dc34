import type {
  Deployer,
  DeploymentsOptions,
  Discovery,
  RecordStore,
  ServerProtocol,
  Tracking,
} from "@modelgate/core";
import { GatewayError } from "@modelgate/core";
import { CommandError } from "../command-error.ts";
import { EXIT } from "../exit-codes.ts";
import type { Log } from "../log.ts";
import { printable } from "../output/printable.ts";
import { byAddress } from "../server-addresses.ts";
import type { Settings } from "../settings/settings.ts";
import { deploymentsOptions } from "./deployments-options.ts";
import { deployerOptions, discoveryOptions } from "./engine-options.ts";
import { whereOfOption } from "./option-names.ts";

export interface ServersContext {
  readonly settings: Settings;
  readonly protocol: ServerProtocol;
  readonly records: RecordStore;
  readonly tracking?: Tracking | undefined;
  readonly log: Pick<Log, "warn">;
  /** Takes what has to be closed, the last first. */
  readonly onClose: (close: () => Promise<void>) => void;
}

/** Where servers come from. */
export interface Servers {
  readonly discovery: readonly Discovery[];
  readonly deployments: DeploymentsOptions | undefined;
}

/** What the settings say of servers: those that are named, those of an engine, and those that are deployed. Throws `CommandError`. */
export async function openServers(context: ServersContext): Promise<Servers> {
  const { settings, protocol, records, tracking, onClose } = context;
  const discovery: Discovery[] = [];
  const probe = new Map([[protocol.name, protocol]]);
  if (settings.servers.length > 0 || !settings["docker.enabled"]) {
    const { staticDiscovery } = await import("@modelgate/core");
    discovery.push(staticDiscovery({ servers: byAddress(settings.servers), probe }));
  }
  if (settings["docker.enabled"]) discovery.push(await openDocker(context, probe));
  for (const each of discovery) onClose(() => each.close());
  if (!settings["deployments.enabled"]) return { discovery, deployments: undefined };
  const deployer = settings["deployments.deploys"] ? await openDeployer(settings) : undefined;
  if (deployer !== undefined) onClose(() => deployer.close());
  return { discovery, deployments: await deploymentsOptions(settings, { records, deployer, tracking }) };
}

async function openDocker(
  { settings, log }: ServersContext,
  probe: ReadonlyMap<string, ServerProtocol>,
): Promise<Discovery> {
  const options = discoveryOptions(settings);
  const { dockerDiscovery } = await import("@modelgate/adapters-docker/discovery");
  return explained(() =>
    dockerDiscovery({
      ...options,
      probe,
      onWarning: ({ container, label, problem }) =>
        // Labels are what anybody wrote.
        log.warn("something about a container cannot be followed", {
          ...{ container, label, problem: printable(problem) },
        }),
    }),
  );
}

/** Throws `CommandError`. */
export async function openDeployer(settings: Settings): Promise<Deployer> {
  const options = deployerOptions(settings);
  const { dockerDeployer } = await import("@modelgate/adapters-docker/deployer");
  return explained(() => dockerDeployer(options));
}

/** What the adapter says of its options, with the name of the setting. */
function explained<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!GatewayError.is(error, "INVALID_OPTIONS")) throw error;
    throw new CommandError(
      EXIT.usage,
      `${error.message}; look at ${whereOfOption(String(error.details["field"]))}.`,
    );
  }
}
