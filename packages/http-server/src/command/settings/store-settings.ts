import { oneOf, wholeNumber } from "./kinds.ts";
import { ANSWERING, EVERY_ROLE, type SettingTable, STORING } from "./setting.ts";

const DAY_MS = 86_400_000;

/** Which backend each part is, and what happens while one of them is away. */
export const STORE_SETTINGS = {
  store: {
    kind: oneOf(["sqlite", "postgres"], "STORE"),
    default: "sqlite",
    commands: [...STORING, "deploy"],
    text: "where tasks are: in the data directory, or in PostgreSQL",
  },
  objects: {
    kind: oneOf(["filesystem", "s3"], "STORE"),
    default: "filesystem",
    commands: STORING,
    text: "where large payloads and results are: in the data directory, or in S3",
  },
  queue: {
    kind: oneOf(["store", "redis", "rabbitmq"], "KIND"),
    default: "store",
    commands: EVERY_ROLE,
    text: "who keeps the order of what waits: the store itself, or a broker that may lose it",
  },
  wakeups: {
    kind: oneOf(["none", "postgres", "redis", "rabbitmq"], "KIND"),
    defaultText: "as the queue or the store",
    commands: EVERY_ROLE,
    text: "how processes wake each other, beside looking every `pollMs`",
  },
  startTimeoutMs: {
    kind: wholeNumber(0, DAY_MS),
    default: 30_000,
    unit: "ms",
    commands: EVERY_ROLE,
    text: "how long the start waits for a service that is down",
  },
  storeWaitMs: {
    kind: wholeNumber(0, DAY_MS),
    default: 0,
    unit: "ms",
    commands: ANSWERING,
    text: "how long a submit waits while the store is away, before it is refused with 503",
  },
} as const satisfies SettingTable;
