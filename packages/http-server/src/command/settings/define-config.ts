import type { KeyName } from "./names.ts";
import type { Retention } from "./retention.ts";
import type { ServerSetting } from "./server-list.ts";
import type { SecretName, SettingName, Settings } from "./settings.ts";

/** An address, how much that server does at once, and as whom it is spoken to. */
type ServerConfig = string | Omit<ServerSetting, "name">;

/** Servers by model, or texts `NAME=URL`. */
type ServersConfig =
  | Readonly<Record<string, ServerConfig | readonly ServerConfig[]>>
  | readonly (string | ServerSetting)[];

/** Ages in milliseconds; what is left out has its default. */
type RetentionConfig = false | Partial<Exclude<Retention, false>>;

/** Sizes may have a unit, as `"16g"`; of labels, those that have another key. */
interface OwnForms {
  readonly servers: ServersConfig;
  readonly retention: RetentionConfig;
  readonly "docker.labels": Partial<Settings["docker.labels"]>;
  readonly "deployments.room.memory": number | string;
  readonly "deployments.defaultRoom.memory": number | string;
  readonly "cms.memory": number | string;
  readonly "cms.shmSize": number | string;
}

type ValueOf<Name extends KeyName> = Name extends keyof OwnForms
  ? OwnForms[Name]
  : Name extends SettingName
    ? Exclude<Settings[Name], undefined>
    : string;

/** `docker: true` is short for `docker: { enabled: true }`. */
type Switch<Group extends string> = `${Group}.enabled` extends KeyName ? boolean : never;

/** The keys below a name, each without it. */
type Below<Name extends string, Keys extends string> = Keys extends `${Name}.${infer Rest}` ? Rest : never;

/** `a.b` → `{ a: { b } }`. `Above` is what the keys had before them. */
type Nested<Keys extends string, Above extends string> = {
  readonly [Key in Keys as Key extends `${infer First}.${string}` ? First : Key]?:
    | (Key extends `${infer First}.${string}`
        ? Nested<Below<First, Keys>, `${Above}${First}.`> | Switch<`${Above}${First}`>
        : `${Above}${Key}` extends KeyName
          ? ValueOf<`${Above}${Key}`>
          : never)
    | null
    | undefined;
};

/** What a configuration file may hold; `docs/reference/configuration.md` explains each key. */
export type Config = Nested<SettingName | `${SecretName}File`, "">;

/** Gives back what it was given: it lets an editor and the compiler know what a configuration file may hold. */
export function defineConfig(config: Config): Config {
  return config;
}
