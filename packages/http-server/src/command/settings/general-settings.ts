import { isHttpUrl, oneOf, text, textThat, wholeNumber, wholeNumberOrOff, yesOrNo } from "./kinds.ts";
import { textList } from "./list-kinds.ts";
import { DEFAULT_RETENTION, retention } from "./retention.ts";
import { type ServerSetting, serverList } from "./server-list.ts";
import {
  ANSWERING,
  CLIENTS,
  DEPLOYING,
  EVERY_ROLE,
  HANDLING,
  RUNNING,
  type SettingTable,
  STORING,
  SWEEPING,
} from "./setting.ts";
import { shownAddress } from "./shown-address.ts";

const DAY_MS = 86_400_000;
const ANY_SIZE = Number.MAX_SAFE_INTEGER;

const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const GENERAL_SETTINGS = {
  host: {
    kind: text("ADDRESS"),
    default: "127.0.0.1",
    commands: EVERY_ROLE,
    text: "address to listen on",
  },
  port: {
    kind: wholeNumber(0, 65_535),
    default: 8888,
    commands: ANSWERING,
    text: "port to listen on; 0 takes a free one",
  },
  "scheduler.port": {
    kind: wholeNumber(0, 65_535),
    defaultText: "none",
    flag: "port",
    commands: ["scheduler", "serve", "doctor", "config"],
    text: "port for `/healthz` and `/metrics` of a scheduler; in `serve`, its metrics alone",
  },
  "reaper.port": {
    kind: wholeNumber(0, 65_535),
    defaultText: "none",
    flag: "port",
    commands: ["reaper", "serve", "doctor", "config"],
    text: "port for `/healthz` and `/metrics` of a reaper; in `serve`, its metrics alone",
  },
  basePath: {
    kind: textThat(
      "PATH",
      "path such as `/gateway`",
      (path) => /^(\/[\w.~-]+)+$/.test(path),
      "give a path such as /gateway",
    ),
    defaultText: "none",
    commands: ANSWERING,
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
    shown: shownAddress,
    commands: CLIENTS,
    text: "address of the running gateway; it may hold a user and a password",
  },
  dataDir: {
    kind: text("DIR"),
    default: ".modelgate",
    commands: [...STORING, ...CLIENTS],
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
    commands: [...ANSWERING, ...CLIENTS],
    text: "what an administrator sends to list tasks",
  },
  servers: {
    kind: serverList,
    default: [],
    defaultText: "none",
    isSecret: true,
    shown: (servers: readonly ServerSetting[]) =>
      servers
        .map(({ name, url, limit }) => `${name}=${shownAddress(url)}${limit ? `#limit=${limit}` : ""}`)
        .join(" "),
    commands: DEPLOYING,
    text: "a model and a server for it, which may end in `#limit=4`, its slots; may be repeated",
  },
  name: {
    kind: text("NAME"),
    defaultText: "the command's",
    commands: EVERY_ROLE,
    text: "who this is, for people who look into the database",
  },
  runs: {
    kind: yesOrNo,
    default: true,
    commands: ["serve", "doctor", "config"],
    text: "whether this process runs tasks; false leaves that to others on the same stores",
  },
  leaseMs: {
    kind: wholeNumber(100, DAY_MS),
    default: 10_000,
    unit: "ms",
    // All of them tell each other by it that they live, and look after what one that died has deployed.
    commands: EVERY_ROLE,
    text: "how long a task, or a deployment's step, is held without a sign of life",
  },
  pollMs: {
    kind: wholeNumber(1, DAY_MS),
    default: 500,
    unit: "ms",
    commands: HANDLING,
    text: "longest wait between two looks for work, or for what has ended",
  },
  inlineBytes: {
    kind: wholeNumber(0, 16 * 1024 ** 2),
    default: 32_768,
    unit: "bytes",
    commands: HANDLING,
    text: "largest payload or result that is kept in the database itself",
  },
  maxBodyBytes: {
    kind: wholeNumber(0, ANY_SIZE),
    default: 4 * 1024 ** 3,
    unit: "bytes",
    commands: ANSWERING,
    text: "largest request body that is taken",
  },
  maxWaitingTasks: {
    kind: wholeNumber(1, ANY_SIZE),
    default: 10_000_000,
    commands: ANSWERING,
    text: "most tasks that may wait; more are refused with 429",
  },
  maxWaitingBytes: {
    kind: wholeNumber(1, ANY_SIZE),
    default: 1024 ** 4,
    unit: "bytes",
    commands: ANSWERING,
    text: "most bytes of payloads that may wait; more are refused with 429",
  },
  boostMs: {
    kind: wholeNumber(0, 1e14),
    default: 3_600_000,
    unit: "ms",
    commands: ANSWERING,
    text: "what one level of priority is worth in waiting",
  },
  waitMs: {
    kind: wholeNumber(1, 3650 * DAY_MS),
    default: DAY_MS,
    unit: "ms",
    commands: ANSWERING,
    text: "how long a task waits in all before it fails",
  },
  noServerMs: {
    kind: wholeNumber(1, 3650 * DAY_MS),
    default: 900_000,
    unit: "ms",
    commands: SWEEPING,
    text: "how long tasks wait for a model that has no server",
  },
  maxFailures: {
    kind: wholeNumber(1, 1000),
    default: 5,
    commands: ANSWERING,
    text: "failures after which a task that may be repeated fails for good",
  },
  idempotencyMs: {
    kind: wholeNumber(DAY_MS, 3650 * DAY_MS),
    default: DAY_MS,
    unit: "ms",
    commands: ANSWERING,
    text: "how long an idempotency key is remembered",
  },
  modelMemoryMs: {
    kind: wholeNumber(0, 3650 * DAY_MS),
    default: DAY_MS,
    unit: "ms",
    commands: ANSWERING,
    text: "how long a model stays known after its last server went",
  },
  defaultLimit: {
    kind: wholeNumber(1, 64),
    default: 8,
    commands: RUNNING,
    text: "slots of a server that does not say how many it has",
  },
  maxConcurrentTasks: {
    kind: wholeNumber(1, ANY_SIZE),
    defaultText: "no bound",
    commands: RUNNING,
    text: "most tasks of this process at once, over all servers; trainings do not count",
  },
  retention: {
    kind: retention,
    default: DEFAULT_RETENTION,
    defaultText: "7, 7 and 30 days",
    unit: "ms",
    commands: SWEEPING,
    text: "ages after the ending at which payloads, results and tasks are forgotten",
  },
  objectSweepMs: {
    kind: wholeNumberOrOff(60_000, 3650 * DAY_MS),
    default: DAY_MS,
    unit: "ms",
    commands: ["serve", "reaper", "doctor", "config"],
    text: "between two looks for objects that no task names",
  },
  maxWaitMs: {
    kind: wholeNumber(0, ANY_SIZE),
    default: 300_000,
    unit: "ms",
    commands: ANSWERING,
    text: "longest wait that a caller gets with `Prefer: wait`",
  },
  infoTimeoutMs: {
    kind: wholeNumber(0, DAY_MS),
    default: 2_000,
    unit: "ms",
    commands: ANSWERING,
    text: "how long the verbose list of models waits for what servers say of themselves",
  },
  trackingTimeoutMs: {
    kind: wholeNumber(0, DAY_MS),
    default: 2_000,
    unit: "ms",
    commands: ANSWERING,
    text: "how long the verbose list of models waits for the tracker",
  },
  closeConnectionFor: {
    kind: textList(
      "AGENT",
      "beginnings of user agents",
      (agent) => /^[\x21-\x7e]{1,255}$/.test(agent),
      "give how user agents begin, such as python-httpx/",
    ),
    default: ["python-httpx/"],
    commands: ANSWERING,
    text: "agents whose connections are closed after each answer; may be repeated",
  },
  openConfigurations: {
    kind: yesOrNo,
    default: false,
    commands: ANSWERING,
    text: "whether everybody may configure on-demand models without the admin's key, as with CogStack's gateway",
  },
  drainMs: {
    kind: wholeNumber(0, DAY_MS),
    default: 10_000,
    unit: "ms",
    commands: HANDLING,
    text: "how long running work may take to finish at a stop",
  },
  metrics: {
    kind: yesOrNo,
    default: true,
    commands: EVERY_ROLE,
    text: "whether `/metrics` is served",
  },
  logLevel: {
    kind: oneOf(LOG_LEVELS, "LEVEL"),
    default: "info",
    commands: EVERY_ROLE,
    text: "what is written to standard error: error, warn, info or debug",
  },
  jsonLogs: {
    kind: yesOrNo,
    default: false,
    commands: EVERY_ROLE,
    text: "whether log lines are JSON",
  },
  logRequests: {
    kind: yesOrNo,
    default: false,
    commands: ANSWERING,
    text: "whether each answered request is a log line and its answer has an `X-Request-Id`",
  },
} as const satisfies SettingTable;
