import { suggestion } from "../nearest.ts";
import type { KeyName } from "../settings/names.ts";
import type { CommandName, Environment } from "../settings/setting.ts";
import { isEarly } from "./detect.ts";
import { CmgEntries } from "./entries.ts";
import { setMode, setProxy } from "./file-keys.ts";
import { logLevelOf } from "./log-level.ts";
import { listed } from "./read-file.ts";
import { OF_COMPOSE, UNUSED_VARIABLES } from "./unused.ts";

/** Variables that are one of our settings each. */
const PLAIN: Readonly<Record<string, readonly KeyName[]>> = {
  CMG_HOST_PORT: ["port"],
  CMG_SCHEDULER_MAX_CONCURRENT_TASKS: ["maxConcurrentTasks"],
  CMG_SCHEDULER_METRICS_PORT: ["scheduler.port"],
  CMG_RIPPER_METRICS_PORT: ["reaper.port"],
  CMS_PROJECT_NAME: ["docker.project"],
  CMS_SERVER_PORT: ["cms.serverPort", "docker.port"],
};

/** Those of the tracker, which other programs have as well. The model servers get the same, as they did. */
const OF_TRACKER: Readonly<Record<string, readonly KeyName[]>> = {
  MLFLOW_TRACKING_URI: ["mlflow.url", "cms.tracking.uri"],
  MLFLOW_TRACKING_USERNAME: ["mlflow.username", "cms.tracking.username"],
  MLFLOW_TRACKING_PASSWORD: ["mlflow.password", "cms.tracking.password"],
  MLFLOW_TRACKING_TOKEN: ["mlflow.token"],
  MLFLOW_S3_ENDPOINT_URL: ["cms.tracking.s3.endpointUrl"],
  AWS_ACCESS_KEY_ID: ["cms.tracking.s3.accessKeyId"],
  AWS_SECRET_ACCESS_KEY: ["cms.tracking.s3.secretAccessKey"],
};

/** What the early version passed on to the servers that it started. */
const EARLY: Readonly<Record<string, readonly KeyName[]>> = {
  MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: ["cms.tracking.enableSystemMetricsLogging"],
  GELF_INPUT_URI: ["cms.gelfInputUri"],
  AUTH_USER_ENABLED: ["cms.auth.userEnabled"],
  AUTH_JWT_SECRET: ["cms.auth.jwtSecret"],
  AUTH_ACCESS_TOKEN_EXPIRE_SECONDS: ["cms.auth.accessTokenExpireSeconds"],
  AUTH_DATABASE_URL: ["cms.auth.databaseUrl"],
  HTTP_PROXY: ["cms.proxy.httpProxy"],
  HTTPS_PROXY: ["cms.proxy.httpsProxy"],
  NO_PROXY: ["cms.proxy.noProxy"],
};

const DATABASE = ["USER", "PASSWORD", "NAME", "HOST", "PORT"].map((name) => `CMG_DB_${name}`);
const OBJECTS = ["HOST", "PORT", "ACCESS_KEY", "SECRET_KEY"].map((name) => `CMG_OBJECT_STORE_${name}`);
const LOG_LEVELS = ["COMMON", "GATEWAY", "RIPPER", "SCHEDULER"].map((name) => `CMG_${name}_LOG_LEVEL`);

/** What CMG's variables say, in our words. */
export function readCmgVariables(environment: Environment, command: CommandName): CmgEntries {
  const out = new CmgEntries();
  const early = isEarly(environment);
  const given = new Map(
    Object.entries(environment).filter((pair): pair is [string, string] => (pair[1] ?? "") !== ""),
  );
  for (const table of [PLAIN, OF_TRACKER, ...(early ? [EARLY] : [])]) {
    for (const [variable, keys] of Object.entries(table)) {
      const value = given.get(variable);
      if (value !== undefined) for (const key of keys) out.set(key, value, variable);
    }
  }
  // Set to nothing, it says that there is no proxy.
  const hostUrl = environment["CMS_HOST_URL"];
  if (hostUrl === "") setMode(out, "name", "CMS_HOST_URL");
  else if (hostUrl !== undefined) setProxy(out, hostUrl, "CMS_HOST_URL");
  setStores(given, out, early);
  const level = logLevelOf(given, command, out);
  if (level !== undefined) out.set("logLevel", level.value, level.as);
  tellUnused(given, out);
  tellOfProxies(given, out);
  if (given.get("CMG_SCHEDULER_MAX_CONCURRENT_TASKS") === "1")
    out.warn(
      "CMG_SCHEDULER_MAX_CONCURRENT_TASKS is 1, so that one task runs at a time, over all servers; without it, each server does what it can.",
    );
  return out;
}

function setStores(given: ReadonlyMap<string, string>, out: CmgEntries, early: boolean): void {
  const of = (name: string, standard: string): string => given.get(name) ?? standard;
  const named = (names: readonly string[]): string => listed(names.filter((name) => given.has(name)));
  const database = named(DATABASE);
  if (database === "")
    out.warn(
      "none of CMG_DB_HOST and its like is given, so that tasks are where store says, and not in CMG's PostgreSQL.",
    );
  else {
    const user = encodeURIComponent(of("CMG_DB_USER", "admin"));
    const password = encodeURIComponent(of("CMG_DB_PASSWORD", "admin"));
    const place = `${of("CMG_DB_HOST", early ? "postgres" : "db")}:${of("CMG_DB_PORT", "5432")}`;
    const name = encodeURIComponent(of("CMG_DB_NAME", "cmg_tasks"));
    out.set("store", "postgres", database);
    out.set("postgres.url", `postgres://${user}:${password}@${place}/${name}`, database);
  }
  const objects = named(OBJECTS);
  if (objects === "") return;
  const host = of("CMG_OBJECT_STORE_HOST", early ? "minio" : "object-store");
  out.set("objects", "s3", objects);
  out.set("s3.endpoint", `http://${host}:${of("CMG_OBJECT_STORE_PORT", "9000")}`, objects);
  out.set("s3.accessKey", of("CMG_OBJECT_STORE_ACCESS_KEY", "admin"), objects);
  out.set("s3.secretKey", of("CMG_OBJECT_STORE_SECRET_KEY", "admin123"), objects);
}

function tellUnused(given: ReadonlyMap<string, string>, out: CmgEntries): void {
  const known = [...Object.keys(PLAIN), ...DATABASE, ...OBJECTS, ...LOG_LEVELS];
  const names = [...given.keys()].sort();
  for (const [expression, reason] of UNUSED_VARIABLES) {
    const found = names.filter((name) => expression.test(name));
    if (found.length === 0) continue;
    out.warn(`${listed(found)} ${found.length === 1 ? "has" : "have"} no use here: ${reason}.`);
  }
  const isUnused = (name: string): boolean => UNUSED_VARIABLES.some(([expression]) => expression.test(name));
  for (const name of names) {
    if (!name.startsWith("CMG_") || known.includes(name) || isUnused(name) || OF_COMPOSE.test(name)) continue;
    out.warn(`${name} is no variable of CMG, and is not used.${suggestion(name, known)}`);
  }
}

function tellOfProxies(given: ReadonlyMap<string, string>, out: CmgEntries): void {
  const found = ["HTTP_PROXY", "HTTPS_PROXY"].filter((name) => given.has(name));
  if (found.length > 0)
    out.warn(
      `${listed(found)} ${found.length === 1 ? "is" : "are"} not used for calls of model servers; cms.proxy is for the servers themselves.`,
    );
}
