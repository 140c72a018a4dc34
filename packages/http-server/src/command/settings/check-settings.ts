import { checkBrokers } from "./check-brokers.ts";
import { checkDocker } from "./check-docker.ts";
import { checkMlflow } from "./check-mlflow.ts";
import { whereToGive } from "./names.ts";
import { readCredentials } from "./server-credentials.ts";
import type { CommandName, Environment, RoleName } from "./setting.ts";
import { type SettingName, type Settings, settingOf } from "./settings.ts";

/** What the settings lack, or say against each other, for a command. Each names what to give. */
export function checkSettings(command: CommandName, settings: Settings, environment: Environment): string[] {
  const takes = (name: SettingName): boolean => settingOf(name).commands.includes(command);
  return [
    ...(takes("store") && settings.store === "postgres" ? checkPostgres(settings) : []),
    // Migrating can also mean to write the SQL, and deploying to ask a gateway; the commands themselves know.
    ...(command === "migrate" || command === "deploy" ? [] : checkAddress(settings, environment)),
    ...(takes("docker.enabled") ? checkDocker(settings, environment) : []),
    ...(takes("mlflow.url") ? checkMlflow(settings) : []),
    ...(takes("servers") ? readCredentials(settings).problems : []),
    ...(takes("objects") && settings.objects === "s3" ? checkS3(settings) : []),
    ...(takes("queue") ? checkBrokers(settings) : []),
  ];
}

/** Whether anything says where PostgreSQL is, when it is asked for. */
export function checkAddress(settings: Settings, environment: Environment): string[] {
  const isElsewhere = ["PGHOST", "PGDATABASE", "PGUSER"].some((name) => (environment[name] ?? "") !== "");
  if (settings.store !== "postgres" || settings["postgres.url"] !== undefined || isElsewhere) return [];
  return [`store is "postgres" and its address is not given; give ${whereToGive("postgres.url")}.`];
}

function checkPostgres(settings: Settings): string[] {
  const { "postgres.tls.certFile": certFile, "postgres.tls.keyFile": keyFile } = settings;
  if ((certFile === undefined) === (keyFile === undefined)) return [];
  const missing = certFile === undefined ? "postgres.tls.certFile" : "postgres.tls.keyFile";
  return [`a client's certificate needs its key, and a key its certificate; give ${whereToGive(missing)}.`];
}

function checkS3(settings: Settings): string[] {
  const needed = ["s3.endpoint", "s3.bucket", "s3.accessKey", "s3.secretKey"] as const;
  const problems = needed
    .filter((name) => settings[name] === undefined)
    .map((name) => `objects is "s3" and ${name} is not given; give ${whereToGive(name)}.`);
  if (settings["s3.encryption"] === "kms" && settings["s3.kmsKeyId"] === undefined)
    problems.push(`s3.encryption is "kms" and its key is not named; give ${whereToGive("s3.kmsKeyId")}.`);
  return problems;
}

/** What is right on one host and wrong on several, for a role that is one of several processes. */
export function splitWarnings(
  role: RoleName,
  settings: Settings,
  sources: ReadonlyMap<SettingName, string>,
): string[] {
  if (role === "serve") return [];
  const { store, objects, dataDir } = settings;
  const kept = [
    store === "sqlite" ? "tasks" : undefined,
    objects === "filesystem" ? "objects" : undefined,
  ].filter((part) => part !== undefined);
  const warnings: string[] = [];
  if (kept.length > 0) {
    const where = `${kept.join(" and ")} are kept in the directory ${dataDir}`;
    warnings.push(`${where}: every role has to run on this host, on this same directory.`);
  }
  if (role === "gateway" && settings.adminKey === undefined && kept.length < 2)
    warnings.push(
      `no admin key is given, so that each gateway makes one of its own; give ${whereToGive("adminKey")} or adminKeyFile.`,
    );
  if (!sources.has("servers") && !settings["docker.enabled"])
    warnings.push(`no server is named; every role needs the same ${whereToGive("servers")}.`);
  return warnings;
}
