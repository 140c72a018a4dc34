import type { KeyName } from "../settings/names.ts";
import { type CmgEntries, msOf } from "./entries.ts";

/** What becomes of a key of CMG's file. */
export type FileRule =
  /** It is one of ours, in other words. */
  | { readonly to: KeyName; readonly turn?: (value: unknown) => unknown }
  /** It is looked at together with others. */
  | { readonly apart: true }
  /** It is understood, and has no use here. */
  | { readonly unused: string };

const PROBES =
  "servers are asked themselves, without the engine's health check, which needs a curl in the image";
const ONE_TRACKER =
  "MLflow itself hands out what is in its store; model servers take theirs from cms.tracking.s3";

const plain = (to: KeyName): FileRule => ({ to });
const seconds = (to: KeyName): FileRule => ({ to, turn: msOf });
const apart: FileRule = { apart: true };

/** Every key of CMG's file, at the version with which it was compared. */
export const FILE_KEYS: Readonly<Record<string, FileRule>> = {
  "cms.host_url": apart,
  "cms.project_name": plain("docker.project"),
  "cms.server_port": apart,
  "cms.network": plain("docker.network"),
  "cms.image": plain("cms.image"),
  "cms.volumes": apart,
  "cms.gelf_input_uri": plain("cms.gelfInputUri"),
  "cms.enable_evaluation_apis": plain("cms.enableEvaluationApis"),
  "cms.enable_previews_apis": plain("cms.enablePreviewsApis"),
  "cms.enable_training_apis": plain("cms.enableTrainingApis"),
  "cms.tracking.uri": plain("cms.tracking.uri"),
  "cms.tracking.username": plain("cms.tracking.username"),
  "cms.tracking.password": plain("cms.tracking.password"),
  "cms.tracking.s3.access_key_id": plain("cms.tracking.s3.accessKeyId"),
  "cms.tracking.s3.secret_access_key": plain("cms.tracking.s3.secretAccessKey"),
  "cms.tracking.s3.endpoint_url": plain("cms.tracking.s3.endpointUrl"),
  "cms.tracking.enable_system_metrics_logging": plain("cms.tracking.enableSystemMetricsLogging"),
  "cms.auth.user_enabled": plain("cms.auth.userEnabled"),
  "cms.auth.jwt_secret": plain("cms.auth.jwtSecret"),
  "cms.auth.access_token_expire_seconds": plain("cms.auth.accessTokenExpireSeconds"),
  "cms.auth.database_url": plain("cms.auth.databaseUrl"),
  "cms.proxy.http_proxy": plain("cms.proxy.httpProxy"),
  "cms.proxy.https_proxy": plain("cms.proxy.httpsProxy"),
  "cms.proxy.no_proxy": plain("cms.proxy.noProxy"),
  "cms.health_check.interval": { unused: PROBES },
  "cms.health_check.timeout": { unused: PROBES },
  "cms.health_check.retries": { unused: PROBES },
  "cms.health_check.start_period": { unused: PROBES },
  "models.deployment.auto.health_check_timeout": seconds("deployments.readyTimeoutMs"),
  "models.deployment.auto.default_idle_ttl": seconds("deployments.auto.idleTtlMs"),
  "models.deployment.auto.max_concurrent_deployments": plain("deployments.maxConcurrent"),
  "models.deployment.auto.deployment_retry_attempts": {
    to: "deployments.attempts",
    turn: (retries) => (typeof retries === "number" ? retries + 1 : retries),
  },
  "models.deployment.auto.require_model_uri_validation": plain("deployments.auto.requiresKnownUri"),
  "models.deployment.manual.default_ttl": apart,
  "models.deployment.manual.allow_ttl_override": plain("deployments.manual.allowsTtl"),
  "models.deployment.manual.max_ttl": seconds("deployments.manual.maxTtlMs"),
  "models.deployment.manual.require_model_uri_validation": plain("deployments.manual.requiresKnownUri"),
  "models.deployment.use_ip_addresses": apart,
  "labels.cms_model_label": apart,
  "labels.cms_model_uri_label": apart,
  "labels.deployment_type_label": apart,
  "labels.managed_by_label": apart,
  "labels.ttl_label": apart,
  "labels.managed_by_value": {
    unused:
      "our servers say modelgate, and are told apart by their installation; modelgate adopt takes CMG's over",
  },
  "tracking.uri": plain("mlflow.url"),
  "tracking.username": plain("mlflow.username"),
  "tracking.password": plain("mlflow.password"),
  "tracking.s3.access_key_id": { unused: ONE_TRACKER },
  "tracking.s3.secret_access_key": { unused: ONE_TRACKER },
  "tracking.s3.endpoint_url": { unused: ONE_TRACKER },
  "tracking.enable_system_metrics_logging": {
    unused: "it is for model servers, which are told by cms.tracking",
  },
};

/** Objects that may be empty, or hold what is listed above. */
export const FILE_GROUPS: ReadonlySet<string> = new Set([
  "models.deployment.static",
  ...Object.keys(FILE_KEYS).flatMap((path) => {
    const levels = path.split(".");
    return levels.slice(1).map((_, at) => levels.slice(0, at + 1).join("."));
  }),
]);

/** Labels by CMG's names, as ours. */
const LABELS: Readonly<Record<string, string>> = {
  cms_model_label: "modelServe",
  cms_model_uri_label: "modelUri",
  deployment_type_label: "deploymentType",
  managed_by_label: "managedBy",
  ttl_label: "ttl",
};

type Given = ReadonlyMap<string, unknown>;

/** What several keys say together. `at` names a key for people. */
export function setTogether(given: Given, out: CmgEntries, at: (path: string) => string): void {
  setAddress(given, out, at);
  const port = given.get("cms.server_port");
  if (port !== undefined) {
    out.set("cms.serverPort", port, at("cms.server_port"));
    out.set("docker.port", port, at("cms.server_port"));
  }
  setVolumes(given, out, at);
  const labels = Object.entries(LABELS).flatMap(([name, ours]) => {
    const key = given.get(`labels.${name}`);
    return key === undefined ? [] : [[ours, key] as const];
  });
  if (labels.length > 0) out.set("docker.labels", Object.fromEntries(labels), at("labels"));
  const ttl = given.get("models.deployment.manual.default_ttl");
  const most = given.get("models.deployment.manual.max_ttl");
  if (typeof ttl === "number" && typeof most === "number" && ttl > most) {
    out.warn(
      `${at("models.deployment.manual.default_ttl")} is ${ttl} and max_ttl ${most}; servers get ${most} s.`,
    );
    out.set("deployments.manual.ttlMs", msOf(most), at("models.deployment.manual.max_ttl"));
  } else if (ttl !== undefined)
    out.set("deployments.manual.ttlMs", msOf(ttl), at("models.deployment.manual.default_ttl"));
}

/** An address of a proxy before all; else the containers' names, or their addresses. */
function setAddress(given: Given, out: CmgEntries, at: (path: string) => string): void {
  const hostUrl = given.get("cms.host_url");
  const usesIps = given.get("models.deployment.use_ip_addresses");
  const ips = at("models.deployment.use_ip_addresses");
  if (hostUrl === undefined || hostUrl === "") {
    if (usesIps === true) setMode(out, "network", ips);
    else if (hostUrl === "") setMode(out, "name", at("cms.host_url"));
    return;
  }
  if (usesIps === true)
    out.warn(`${ips} has no use beside ${at("cms.host_url")}: the proxy is asked for models by their names.`);
  setProxy(out, hostUrl, at("cms.host_url"));
}

/** Servers as `name`, or by their own addresses; a proxy that something else names is not used then. */
export function setMode(out: CmgEntries, mode: "name" | "network", as: string): void {
  out.set("docker.address", mode, as);
  out.set("docker.proxyUrl", undefined, as);
}

/** Servers by a reverse proxy that has each below a path of its own. */
export function setProxy(out: CmgEntries, hostUrl: unknown, as: string): void {
  out.set("docker.address", "proxy", as);
  out.set(
    "docker.proxyUrl",
    typeof hostUrl === "string" ? `${hostUrl.replace(/\/+$/, "")}/{model}` : hostUrl,
    as,
  );
}

/** Folders of the host are allowed by their being named: the file is its owner's. */
function setVolumes(given: Given, out: CmgEntries, at: (path: string) => string): void {
  const volumes = given.get("cms.volumes");
  if (volumes === undefined) return;
  out.set("cms.volumes", volumes, at("cms.volumes"));
  if (typeof volumes !== "object" || volumes === null) return;
  const folders = Object.keys(volumes).filter((source) => source.startsWith("/"));
  if (folders.length > 0) out.set("docker.hostPaths", folders, at("cms.volumes"));
}
