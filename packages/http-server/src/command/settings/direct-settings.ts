import { oneOf, wholeNumber } from "./kinds.ts";
import { decimal } from "./measure-kinds.ts";
import { ANSWERING, type SettingTable } from "./setting.ts";

const DAY_MS = 86_400_000;
const commands = ANSWERING;

/** Requests that go straight to a model's server. */
export const DIRECT_SETTINGS = {
  "direct.share": {
    kind: decimal(0.01, 1),
    default: 0.5,
    commands,
    text: "share of a server's slots for requests that are no tasks; one slot at least",
  },
  "direct.timeoutMs": {
    kind: wholeNumber(1, DAY_MS),
    default: 180_000,
    unit: "ms",
    commands,
    text: "longest wait for the beginning of a server's answer",
  },
  "direct.idleTimeoutMs": {
    kind: wholeNumber(1, DAY_MS),
    default: 300_000,
    unit: "ms",
    commands,
    text: "longest silence in the middle of an answer, or of a WebSocket",
  },
  "direct.maxWaiting": {
    kind: wholeNumber(0, Number.MAX_SAFE_INTEGER),
    default: 1_024,
    commands,
    text: "how many requests may wait for a slot at once",
  },
  "direct.credentials": {
    kind: oneOf(["none", "caller"], "WHOSE"),
    default: "none",
    commands,
    text: "whose `Authorization` and `Cookie` a server gets",
  },
} as const satisfies SettingTable;
