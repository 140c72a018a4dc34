import { brokerAddress, brokerAddresses, brokerPrefix, shownAddresses, tlsSettings } from "./broker-kinds.ts";
import { text, wholeNumber, yesOrNo } from "./kinds.ts";
import { textList } from "./list-kinds.ts";
import { EVERY_ROLE, type SettingTable } from "./setting.ts";
import { shownAddress } from "./shown-address.ts";

const MOST_MS = 600_000;
const SCHEMES = ["redis", "rediss"];
const commands = EVERY_ROLE;

/** Redis or Valkey, for the queue or the wake-ups; one of `url`, `sentinels` and `cluster` says where. */
export const REDIS_SETTINGS = {
  "redis.url": {
    kind: brokerAddress(SCHEMES, "DATABASE"),
    defaultText: "none",
    isSecret: true,
    shown: shownAddress,
    commands,
    text: "address of Redis or Valkey; rediss:// for TLS",
  },
  "redis.sentinels.nodes": {
    kind: textList(
      "HOST:PORT",
      "`HOST:PORT`",
      (node) => hostAndPort(node) !== undefined,
      "give HOST:PORT of each, with brackets around an address of IPv6",
    ),
    defaultText: "none",
    commands,
    text: "Sentinels that name the primary, in place of `redis.url`",
  },
  "redis.sentinels.name": {
    kind: text("NAME"),
    defaultText: "none",
    commands,
    text: "name by which they know it",
  },
  "redis.sentinels.username": {
    kind: text("NAME"),
    defaultText: "none",
    commands,
    text: "user of the Sentinels themselves",
  },
  "redis.sentinels.password": {
    kind: text("PASSWORD"),
    defaultText: "none",
    isSecret: true,
    commands,
    text: "password for the Sentinels themselves",
  },
  "redis.sentinels.tls": {
    kind: yesOrNo,
    default: false,
    commands,
    text: "whether the Sentinels are spoken to over TLS, as `redis.tls` describes it",
  },
  "redis.cluster.nodes": {
    kind: brokerAddresses(SCHEMES, ""),
    defaultText: "none",
    isSecret: true,
    shown: shownAddresses,
    commands,
    text: "nodes of a Redis Cluster, in place of `redis.url`; one that answers is enough",
  },
  "redis.username": {
    kind: text("NAME"),
    defaultText: "that of the address",
    commands,
    text: "user, in place of one in an address",
  },
  "redis.password": {
    kind: text("PASSWORD"),
    defaultText: "that of the address",
    isSecret: true,
    commands,
    text: "password, in place of one in an address",
  },
  "redis.prefix": {
    kind: brokerPrefix,
    default: "modelgate",
    commands,
    text: "what keys and channels begin with, one for each installation",
  },
  "redis.connectTimeoutMs": {
    kind: wholeNumber(1, MOST_MS),
    default: 5_000,
    unit: "ms",
    commands,
    text: "longest wait for a connection",
  },
  "redis.commandTimeoutMs": {
    kind: wholeNumber(10, MOST_MS),
    default: 2_000,
    unit: "ms",
    commands,
    text: "longest wait for an answer",
  },
  ...tlsSettings("redis", "rediss"),
} as const satisfies SettingTable;

/** The parts of `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`; `undefined` for anything else. */
export function hostAndPort(
  text: string,
): { readonly host: string; readonly port?: number | undefined } | undefined {
  const [, bracketed, name, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? name;
  if (host === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535) return undefined;
  return port === undefined ? { host } : { host, port: Number(port) };
}
