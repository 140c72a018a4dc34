import type { DockerInspection } from "@modelgate/adapters-docker/deployer";
import { openRecords } from "../deploy/open-records.ts";
import { deployerOptions } from "../docker/engine-options.ts";
import { whereOfOption } from "../docker/option-names.ts";
import { printable } from "../output/printable.ts";
import { sizeText } from "../output/size-text.ts";
import { whereToGive } from "../settings/names.ts";
import type { Settings } from "../settings/settings.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const CHECK = "Docker";
/** Deadlines of deployments go by this machine's clock, and events of the engine by its own. */
const TOLERATED_MS = 60_000;

/** Asks the engine what finding and deploying servers would need. Throws `CommandError` for a file that cannot be read. */
export async function checkDocker(settings: Settings): Promise<Finding[]> {
  const { inspectDocker } = await import("@modelgate/adapters-docker/deployer");
  const isDeploying = settings["deployments.enabled"] && settings["deployments.deploys"];
  const seen = await inspectDocker({
    ...deployerOptions(settings),
    installation: await installationOf(settings),
    ...(isDeploying && { image: settings["cms.image"], pull: settings["cms.pull"] }),
  });
  return dockerFindings(seen, settings);
}

/** What an inspection says to whoever runs the gateway. */
function dockerFindings(seen: DockerInspection, settings: Settings): Finding[] {
  const isDeploying = settings["deployments.enabled"] && settings["deployments.deploys"];
  const faults = seen.problems.map(({ message, field, step }) =>
    fail(CHECK, printable(message), hintOf(field, step, settings)),
  );
  if (!seen.isReached || seen.apiVersion === undefined) return faults;
  const { version = "of unknown version", apiVersion, system, answerMs } = seen;
  const on = system === undefined ? "" : ` on ${system}`;
  return [
    ok(CHECK, printable(`Engine ${version}${on}, API ${apiVersion}, answers in ${answerMs} ms`)),
    ...faults,
    ...networkFindings(seen, settings, isDeploying),
    ...(isDeploying
      ? [...imageFindings(seen, settings), ...limitFindings(seen), ...roomFindings(seen, settings)]
      : []),
    ...containerFindings(seen),
    ...clockFindings(seen),
  ];
}

/** Without the id, other installations cannot be told from this one. */
async function installationOf(settings: Settings): Promise<string | undefined> {
  const { "deployments.installation": given } = settings;
  if (given !== undefined) return given;
  const { records, close } = await openRecords(settings);
  try {
    const { id } = ((await records.get("installation"))?.value ?? {}) as { readonly id?: unknown };
    return typeof id === "string" ? id : undefined;
  } finally {
    await close();
  }
}

function hintOf(
  field: string | undefined,
  step: DockerInspection["problems"][number]["step"],
  settings: Settings,
): string {
  if (field !== undefined) return `mend ${whereOfOption(field)}`;
  switch (step) {
    case "image":
      return `mend ${whereToGive("cms.image")}, or give ${whereToGive("docker.registries")}`;
    case "info":
    case "networks":
    case "containers":
      return "let what stands before the engine allow this call";
    default: {
      const name = settings["docker.socket"] === undefined ? "docker.host" : "docker.socket";
      return `start it, give this user the right to its socket, or mend ${whereToGive(name)}`;
    }
  }
}

function networkFindings(
  { isNetworkThere, networks = [] }: DockerInspection,
  settings: Settings,
  isDeploying: boolean,
): Finding[] {
  const { "docker.network": network } = settings;
  const hint = `make it by docker network create, or mend ${whereToGive("docker.network")}`;
  if (network === undefined) {
    if (!isDeploying) return [];
    return [
      warn(
        CHECK,
        "deployed servers join the engine's own bridge, where names mean nothing",
        `give ${whereToGive("docker.network")}, one of: ${printable(networks.join(", "))}`,
      ),
    ];
  }
  if (isNetworkThere === undefined) return [];
  return isNetworkThere
    ? [ok(CHECK, `the network ${network} is there`)]
    : [fail(CHECK, `the network ${network} is not there`, hint)];
}

function imageFindings({ image }: DockerInspection, settings: Settings): Finding[] {
  if (image === undefined) return [];
  const where = image === "engine" ? "is there" : "is in its registry, and pulled for the first deployment";
  return [ok(CHECK, `the image ${settings["cms.image"]} ${where}`)];
}

function limitFindings({ limits }: DockerInspection): Finding[] {
  if (limits === undefined) return [];
  const missing = Object.entries(limits)
    .filter(([, isThere]) => !isThere)
    .map(([name]) => name);
  if (missing.length === 0) return [ok(CHECK, "it limits memory, CPUs and processes")];
  const hint = "switch on the control groups of the kernel, or delegate them to a rootless engine";
  return [warn(CHECK, `it cannot limit ${missing.join(", ")}, so that a server may take all there is`, hint)];
}

function roomFindings({ room }: DockerInspection, settings: Settings): Finding[] {
  const { "deployments.room.memory": memoryBytes, "deployments.room.cpus": cpus } = settings;
  if (room === undefined) return [];
  if (memoryBytes === undefined) {
    const text = `nothing bounds what all servers together take of its ${sizeText(room.memoryBytes)}`;
    return [warn(CHECK, text, `give ${whereToGive("deployments.room.memory")}`)];
  }
  if (memoryBytes > room.memoryBytes) {
    const text = `servers may take ${sizeText(memoryBytes)}, and it has ${sizeText(room.memoryBytes)}`;
    return [warn(CHECK, text, `give less as ${whereToGive("deployments.room.memory")}`)];
  }
  if (cpus !== undefined && cpus > room.cpus)
    return [
      warn(
        CHECK,
        `servers may take ${cpus} CPUs, and it has ${room.cpus}`,
        `give less as ${whereToGive("deployments.room.cpus")}`,
      ),
    ];
  return [];
}

function containerFindings({ containers }: DockerInspection): Finding[] {
  if (containers === undefined) return [];
  const { servers, ours, others, otherInstallations } = containers;
  const found = ok(CHECK, `${servers} model servers run there, ${ours} containers are ours`);
  if (others === 0) return [found];
  const text = `${others} containers belong to ${otherInstallations} other installations, and are left alone`;
  return [found, warn(CHECK, text, "remove what an installation left that is no more")];
}

function clockFindings({ clockDifferenceMs = 0 }: DockerInspection): Finding[] {
  if (Math.abs(clockDifferenceMs) <= TOLERATED_MS) return [];
  const text = `its clock and that of this machine differ by ${Math.round(clockDifferenceMs / 1000)} s`;
  return [warn(CHECK, text, "set the clocks, and keep them by NTP")];
}
