import { whereToGive } from "./names.ts";
import type { Environment } from "./setting.ts";
import type { Settings } from "./settings.ts";

/** What the settings of the engine and of deployments say against each other. */
export function checkDocker(settings: Settings, environment: Environment): string[] {
  return [
    ...(settings["docker.enabled"] ? checkEngine(settings, environment) : []),
    ...(settings["deployments.enabled"] ? checkDeployments(settings) : []),
  ];
}

function checkEngine(settings: Settings, environment: Environment): string[] {
  const { "docker.socket": socket, "docker.host": host } = settings;
  const { "docker.tls.certFile": certFile, "docker.tls.keyFile": keyFile } = settings;
  if (socket !== undefined && host !== undefined)
    return [`docker.socket and docker.host both say where the engine is; give one of them.`];
  const problems: string[] = [];
  if ((certFile === undefined) !== (keyFile === undefined)) {
    const missing = certFile === undefined ? "docker.tls.certFile" : "docker.tls.keyFile";
    problems.push(
      `a client's certificate needs its key, and a key its certificate; give ${whereToGive(missing)}.`,
    );
  }
  const isByProxy = settings["docker.address"] === "proxy";
  if (isByProxy !== (settings["docker.proxyUrl"] !== undefined)) {
    const missing = isByProxy ? whereToGive("docker.proxyUrl") : `${whereToGive("docker.address")} as proxy`;
    problems.push(`docker.proxyUrl goes with the address proxy, and this with it; give ${missing}.`);
  }
  const hasTls = settings["docker.tls.caFile"] !== undefined || certFile !== undefined;
  const given = socket === undefined ? (host ?? environment["DOCKER_HOST"] ?? "") : "";
  if (hasTls && !/^(tcp|https):/.test(given))
    problems.push(`docker.tls needs an engine at tcp:// or https://; give ${whereToGive("docker.host")}.`);
  return problems;
}

function checkDeployments(settings: Settings): string[] {
  const problems: string[] = [];
  if (settings["deployments.deploys"] && !settings["docker.enabled"]) {
    const others = `or ${whereToGive("deployments.deploys")} as false where others deploy`;
    problems.push(
      `deployments are enabled and no engine is; give ${whereToGive("docker.enabled")} as true, ${others}.`,
    );
  }
  const { "deployments.manual.ttlMs": ttlMs, "deployments.manual.maxTtlMs": maxTtlMs } = settings;
  if (maxTtlMs !== undefined && ttlMs !== undefined && (ttlMs === "never" || ttlMs > maxTtlMs)) {
    problems.push(
      `deployments.manual.ttlMs is ${ttlMs}, which is more than maxTtlMs; give at most ${maxTtlMs}.`,
    );
  }
  const jwt = whereToGive("cms.auth.jwtSecret");
  if (settings["cms.auth.userEnabled"] && settings["cms.auth.jwtSecret"] === undefined)
    problems.push(`model servers are to ask who calls, and have nothing to sign with; give ${jwt}.`);
  const relative = Object.entries(settings["cms.volumes"]).find(([, target]) => !target.startsWith("/"));
  if (relative !== undefined)
    problems.push(
      `cms.volumes has ${relative.join("=")}, which is no absolute path inside; give NAME=/PATH.`,
    );
  const { "docker.hostPaths": allowed } = settings;
  const folder = Object.keys(settings["cms.volumes"]).find(
    (source) =>
      source.startsWith("/") && !allowed.some((path) => source === path || source.startsWith(`${path}/`)),
  );
  if (folder !== undefined)
    problems.push(`cms.volumes has the folder ${folder}; allow it with ${whereToGive("docker.hostPaths")}.`);
  return problems;
}
