import { textThat, wholeNumber, yesOrNo } from "./kinds.ts";
import { decimal, size, wholeNumberOrNever } from "./measure-kinds.ts";
import { DEPLOYING, type SettingTable } from "./setting.ts";

const DAY_MS = 86_400_000;
const LONGEST_MS = 3650 * DAY_MS;
const MOST_CPUS = 100_000;
const MOST_CARDS = 256;
const commands = DEPLOYING;

/** Which servers are started and removed, and how long they stay. */
export const DEPLOYMENT_SETTINGS = {
  "deployments.enabled": {
    kind: yesOrNo,
    default: false,
    commands,
    text: "whether servers are deployed; else servers are only found, and nothing is ever changed",
  },
  "deployments.deploys": {
    kind: yesOrNo,
    default: true,
    commands,
    text: "whether this process starts and removes servers; else others on this store do",
  },
  "deployments.installation": {
    kind: textThat(
      "NAME",
      "1 to 63 letters, digits, `_`, `.` and `-`",
      (name) => /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/.test(name),
      "give 1 to 63 letters, digits, _ . and -",
    ),
    defaultText: "made once, and kept",
    commands,
    text: "whose servers these are; those of others are left alone",
  },
  "deployments.room.memory": {
    kind: size,
    defaultText: "no bound",
    commands,
    text: "memory that all servers together may take",
  },
  "deployments.room.cpus": {
    kind: decimal(0.01, MOST_CPUS),
    defaultText: "no bound",
    commands,
    text: "CPUs that all servers together may take",
  },
  "deployments.room.gpus": {
    kind: wholeNumber(0, MOST_CARDS),
    defaultText: "no bound",
    commands,
    text: "graphics cards that all servers together may take",
  },
  "deployments.defaultRoom.memory": {
    kind: size,
    default: 2 * 1024 ** 3,
    commands,
    text: "memory that a server without a limit is charged",
  },
  "deployments.defaultRoom.cpus": {
    kind: decimal(0, MOST_CPUS),
    default: 1,
    commands,
    text: "CPUs that a server without a limit is charged",
  },
  "deployments.maxConcurrent": {
    kind: wholeNumber(1, 1000),
    default: 2,
    commands,
    text: "deployments at work at once, over all processes",
  },
  "deployments.attempts": {
    kind: wholeNumber(1, 1000),
    default: 3,
    commands,
    text: "tries before a deployment has failed",
  },
  "deployments.retryMs": {
    kind: wholeNumber(1, LONGEST_MS),
    default: 1_000,
    unit: "ms",
    commands,
    text: "wait after a first failed try; it doubles with each more",
  },
  "deployments.readyTimeoutMs": {
    kind: wholeNumber(1, LONGEST_MS),
    default: 300_000,
    unit: "ms",
    commands,
    text: "from the start of a server until it has to be ready",
  },
  "deployments.failedRetryMs": {
    kind: wholeNumber(1, LONGEST_MS),
    default: 30_000,
    unit: "ms",
    commands,
    text: "how long an on-demand model that failed is left alone",
  },
  "deployments.minResidencyMs": {
    kind: wholeNumber(0, LONGEST_MS),
    default: 60_000,
    unit: "ms",
    commands,
    text: "how long an on-demand server stays before it yields its room",
  },
  "deployments.drainMs": {
    kind: wholeNumber(0, LONGEST_MS),
    default: 30_000,
    unit: "ms",
    commands,
    text: "what calls that run are given when a server's time is over",
  },
  "deployments.maxOverrunMs": {
    kind: wholeNumber(0, LONGEST_MS),
    default: DAY_MS,
    unit: "ms",
    commands,
    text: "what a training is given when its server's time is over",
  },
  "deployments.stopGraceMs": {
    kind: wholeNumber(0, DAY_MS),
    default: 10_000,
    unit: "ms",
    commands,
    text: "between asking a server to stop and killing it",
  },
  "deployments.manual.ttlMs": {
    kind: wholeNumberOrNever(1, LONGEST_MS),
    defaultText: "a day, or `maxTtlMs`",
    unit: "ms",
    commands,
    text: "time to live of a server, unless asked otherwise",
  },
  "deployments.manual.maxTtlMs": {
    kind: wholeNumber(1, LONGEST_MS),
    defaultText: "no bound",
    unit: "ms",
    commands,
    text: "longest time to live that may be asked for; then never may not",
  },
  "deployments.manual.allowsTtl": {
    kind: yesOrNo,
    default: true,
    commands,
    text: "whether a time to live may be asked for",
  },
  "deployments.manual.requiresKnownUri": {
    kind: yesOrNo,
    default: false,
    commands,
    text: "whether the tracker has to know the address of a deployed model",
  },
  "deployments.auto.idleTtlMs": {
    kind: wholeNumber(1, LONGEST_MS),
    default: 3_600_000,
    unit: "ms",
    commands,
    text: "idle time after which an on-demand server is removed",
  },
  "deployments.auto.requiresKnownUri": {
    kind: yesOrNo,
    default: false,
    commands,
    text: "whether the tracker has to know the address of an on-demand model",
  },
} as const satisfies SettingTable;
