import { type Kind, oneOf, text, textThat, wholeNumber, wholeNumberOrOff, yesOrNo } from "./kinds.ts";
import { DEFAULT_RETENTION, retention } from "./retention.ts";
import { serverList } from "./server-list.ts";

const DAY_MS = 86_400_000;
const ANY_SIZE = Number.MAX_SAFE_INTEGER;

/** Commands that ask a running gateway. */
const CLIENTS = ["models", "tasks", "cancel", "retry", "result", "submit"] as const;
/** `doctor` takes what `serve` takes, so that it can be called in the same way. */
const SERVE = ["serve", "doctor"] as const;

export type CommandName = (typeof CLIENTS)[number] | (typeof SERVE)[number] | "sweep";

/** One thing that the command can be told: a flag, an environment variable and a key of the file alike. */
export interface Setting<T> {
  readonly kind: Kind<T>;
  /** Absent where there is none, or where it is made at the start. */
  readonly default?: T;
  /** How the reference tells a default that is no plain value. */
  readonly defaultText?: string;
  readonly unit?: "ms" | "bytes";
  /** It is, or may hold, a secret: no message repeats it. */
  readonly isSecret?: true;
  /** The commands that take it. */
  readonly commands: readonly CommandName[];
  readonly text: string;
}

const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const SETTINGS = {
  host: {
    kind: text("ADDRESS"),
    default: "127.0.0.1",
    commands: SERVE,
    text: "address to listen on",
  },
  port: {
    kind: wholeNumber(0, 65_535),
    default: 8888,
    commands: SERVE,
    text: "port to listen on; 0 takes a free one",
  },
  basePath: {
    kind: textThat(
      "PATH",
      "path such as `/gateway`",
      (path) => /^(\/[\w.~-]+)+$/.test(path),
      "give a path such as /gateway",
    ),
    defaultText: "none",
    commands: SERVE,
    text: "path below which the API is served",
  },
  url: {
    kind: textThat(
      "URL",
      "address",
      isHttpUrl,
      "give an address that begins with http:// or https://, without a query",
    ),
    default: "http://127.0.0.1:8888",
    isSecret: true,
    commands: CLIENTS,
    text: "address of the running gateway; it may hold a user and a password",
  },
  dataDir: {
    kind: text("DIR"),
    default: ".modelgate",
    commands: [...SERVE, ...CLIENTS, "sweep"],
    text: "directory in which everything is kept",
  },
  adminKey: {
    kind: textThat(
      "KEY",
      "16 to 255 visible characters",
      (key) => /^[\x21-\x7e]{16,255}$/.test(key),
      "give 16 to 255 visible ASCII characters",
    ),
    defaultText: "`DATA_DIR/admin-key`, made at the first start",
    isSecret: true,
    commands: [...SERVE, ...CLIENTS],
    text: "what an administrator sends to list tasks",
  },
  servers: {
    kind: serverList,
    default: [],
    defaultText: "none",
    isSecret: true,
    commands: SERVE,
    text: "a model and the address of a server for it; may be repeated",
  },
  name: {
    kind: text("NAME"),
    default: "gateway",
    commands: SERVE,
    text: "who this is, for people who look into the database",
  },
  runs: {
    kind: yesOrNo,
    default: true,
    commands: SERVE,
    text: "whether this process runs tasks; false leaves that to others on the same data directory",
  },
  leaseMs: {
    kind: wholeNumber(100, DAY_MS),
    default: 10_000,
    unit: "ms",
    commands: SERVE,
    text: "how long a task is held without a sign of life",
  },
  pollMs: {
    kind: wholeNumber(1, DAY_MS),
    default: 500,
    unit: "ms",
    commands: SERVE,
    text: "longest wait between two looks for work",
  },
  inlineBytes: {
    kind: wholeNumber(0, 16 * 1024 ** 2),
    default: 32_768,
    unit: "bytes",
    commands: SERVE,
    text: "largest payload or result that is kept in the database itself",
  },
  maxBodyBytes: {
    kind: wholeNumber(0, ANY_SIZE),
    default: 4 * 1024 ** 3,
    unit: "bytes",
    commands: SERVE,
    text: "largest request body that is taken",
  },
  maxWaitingTasks: {
    kind: wholeNumber(1, ANY_SIZE),
    default: 10_000_000,
    commands: SERVE,
    text: "most tasks that may wait; more are refused with 429",
  },
  maxWaitingBytes: {
    kind: wholeNumber(1, ANY_SIZE),
    default: 1024 ** 4,
    unit: "bytes",
    commands: SERVE,
    text: "most bytes of payloads that may wait; more are refused with 429",
  },
  boostMs: {
    kind: wholeNumber(0, 1e14),
    default: 3_600_000,
    unit: "ms",
    commands: SERVE,
    text: "what one level of priority is worth in waiting",
  },
  waitMs: {
    kind: wholeNumber(1, 3650 * DAY_MS),
    default: DAY_MS,
    unit: "ms",
    commands: SERVE,
    text: "how long a task waits in all before it fails",
  },
  noServerMs: {
    kind: wholeNumber(1, 3650 * DAY_MS),
    default: 900_000,
    unit: "ms",
    commands: SERVE,
    text: "how long tasks wait for a model that has no server",
  },
  maxFailures: {
    kind: wholeNumber(1, 1000),
    default: 5,
    commands: SERVE,
    text: "failures after which a task that may be repeated fails for good",
  },
  idempotencyMs: {
    kind: wholeNumber(DAY_MS, 3650 * DAY_MS),
    default: DAY_MS,
    unit: "ms",
    commands: SERVE,
    text: "how long an idempotency key is remembered",
  },
  modelMemoryMs: {
    kind: wholeNumber(0, 3650 * DAY_MS),
    default: DAY_MS,
    unit: "ms",
    commands: SERVE,
    text: "how long a model stays known after its last server went",
  },
  defaultLimit: {
    kind: wholeNumber(1, 64),
    default: 8,
    commands: SERVE,
    text: "slots of a server that does not say how many it has",
  },
  retention: {
    kind: retention,
    default: DEFAULT_RETENTION,
    defaultText: "7, 7 and 30 days",
    unit: "ms",
    commands: SERVE,
    text: "ages after the ending at which payloads, results and tasks are forgotten",
  },
  objectSweepMs: {
    kind: wholeNumberOrOff(60_000, 3650 * DAY_MS),
    default: DAY_MS,
    unit: "ms",
    commands: SERVE,
    text: "between two looks for objects that no task names",
  },
  maxWaitMs: {
    kind: wholeNumber(0, ANY_SIZE),
    default: 300_000,
    unit: "ms",
    commands: SERVE,
    text: "longest wait that a caller gets with `Prefer: wait`",
  },
  infoTimeoutMs: {
    kind: wholeNumber(0, DAY_MS),
    default: 2_000,
    unit: "ms",
    commands: SERVE,
    text: "how long the verbose list of models waits for what servers say of themselves",
  },
  drainMs: {
    kind: wholeNumber(0, DAY_MS),
    default: 10_000,
    unit: "ms",
    commands: SERVE,
    text: "how long running work may take to finish at a stop",
  },
  metrics: {
    kind: yesOrNo,
    default: true,
    commands: SERVE,
    text: "whether `/metrics` is served",
  },
  logLevel: {
    kind: oneOf(LOG_LEVELS, "LEVEL"),
    default: "info",
    commands: SERVE,
    text: "what is written to standard error: error, warn, info or debug",
  },
  jsonLogs: {
    kind: yesOrNo,
    default: false,
    commands: SERVE,
    text: "whether log lines are JSON",
  },
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

export type SettingName = keyof typeof SETTINGS;

type ValueOf<S> = S extends { readonly kind: Kind<infer T> }
  ? T | (S extends { readonly default: unknown } ? never : undefined)
  : never;

/** What a command goes by. */
export type Settings = { readonly [Name in SettingName]: ValueOf<(typeof SETTINGS)[Name]> };

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly SettingName[];

/** The same table, each entry seen as what all of them are. */
export function settingOf(name: SettingName): Setting<unknown> {
  return SETTINGS[name];
}

function isHttpUrl(given: string): boolean {
  if (!URL.canParse(given)) return false;
  const { protocol, search, hash } = new URL(given);
  return /^https?:$/.test(protocol) && search === "" && hash === "";
}
