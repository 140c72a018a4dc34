import { CMS_SETTINGS } from "./cms-settings.ts";
import { DEPLOYMENT_SETTINGS } from "./deployment-settings.ts";
import { DIRECT_SETTINGS } from "./direct-settings.ts";
import { DOCKER_SETTINGS } from "./docker-settings.ts";
import { GENERAL_SETTINGS } from "./general-settings.ts";
import type { Kind } from "./kinds.ts";
import { MLFLOW_SETTINGS } from "./mlflow-settings.ts";
import { POSTGRES_SETTINGS } from "./postgres-settings.ts";
import { RABBITMQ_SETTINGS } from "./rabbitmq-settings.ts";
import { REDIS_SETTINGS } from "./redis-settings.ts";
import { S3_SETTINGS } from "./s3-settings.ts";
import type { Setting } from "./setting.ts";
import { STORE_SETTINGS } from "./store-settings.ts";

/** A dot in a name is a level of the configuration file. */
const SETTINGS = {
  ...GENERAL_SETTINGS,
  ...DIRECT_SETTINGS,
  ...STORE_SETTINGS,
  ...POSTGRES_SETTINGS,
  ...REDIS_SETTINGS,
  ...RABBITMQ_SETTINGS,
  ...S3_SETTINGS,
  ...DOCKER_SETTINGS,
  ...DEPLOYMENT_SETTINGS,
  ...CMS_SETTINGS,
  ...MLFLOW_SETTINGS,
} as const;

type Table = typeof SETTINGS;
export type SettingName = keyof Table;

type ValueOf<S> = S extends { readonly kind: Kind<infer T> }
  ? T | (S extends { readonly default: unknown } ? never : undefined)
  : never;

/** What a command goes by. */
export type Settings = { readonly [Name in SettingName]: ValueOf<Table[Name]> };

/** Settings that a file of their own may hold, which `NAMEFile` names. */
export type SecretName = {
  [Name in SettingName]: Table[Name] extends { readonly isSecret: true } ? Name : never;
}[SettingName];

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

/** The same table, each entry seen as what all of them are. */
export function settingOf(name: SettingName): Setting<unknown> {
  return SETTINGS[name];
}
