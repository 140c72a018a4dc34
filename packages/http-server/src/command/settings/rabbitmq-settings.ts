import { brokerAddress, brokerAddresses, brokerPrefix, shownAddresses, tlsSettings } from "./broker-kinds.ts";
import { oneOf, text, wholeNumber } from "./kinds.ts";
import { EVERY_ROLE, type SettingTable } from "./setting.ts";
import { shownAddress } from "./shown-address.ts";

const MOST_MS = 600_000;
const SCHEMES = ["amqp", "amqps"];
const commands = EVERY_ROLE;

/** RabbitMQ, for the queue or the wake-ups. */
export const RABBITMQ_SETTINGS = {
  "rabbitmq.url": {
    kind: brokerAddress(SCHEMES, "VHOST"),
    defaultText: "none",
    isSecret: true,
    shown: shownAddress,
    commands,
    text: "address of RabbitMQ; amqps:// for TLS",
  },
  "rabbitmq.urls": {
    kind: brokerAddresses(SCHEMES, "VHOST"),
    defaultText: "none",
    isSecret: true,
    shown: shownAddresses,
    commands,
    text: "nodes of a cluster, in place of `rabbitmq.url`, tried in turn",
  },
  "rabbitmq.username": {
    kind: text("NAME"),
    defaultText: "that of the address, else `guest`",
    commands,
    text: "user, in place of one in an address",
  },
  "rabbitmq.password": {
    kind: text("PASSWORD"),
    defaultText: "that of the address, else `guest`",
    isSecret: true,
    commands,
    text: "password, in place of one in an address",
  },
  "rabbitmq.vhost": {
    kind: text("NAME"),
    defaultText: "that of the address, else `/`",
    commands,
    text: "virtual host, in place of one in an address",
  },
  "rabbitmq.prefix": {
    kind: brokerPrefix,
    default: "modelgate",
    commands,
    text: "what queues and exchanges begin with, one for each installation",
  },
  "rabbitmq.queueType": {
    kind: oneOf(["auto", "quorum", "classic"], "KIND"),
    default: "auto",
    commands,
    text: "kind of the queues that are made; auto is quorum from RabbitMQ 3.10 on",
  },
  "rabbitmq.connectTimeoutMs": {
    kind: wholeNumber(1, MOST_MS),
    default: 5_000,
    unit: "ms",
    commands,
    text: "longest wait for a connection, for each address",
  },
  "rabbitmq.operationTimeoutMs": {
    kind: wholeNumber(100, MOST_MS),
    default: 5_000,
    unit: "ms",
    commands,
    text: "longest wait for an answer",
  },
  "rabbitmq.heartbeatMs": {
    kind: wholeNumber(1_000, MOST_MS),
    default: 10_000,
    unit: "ms",
    commands,
    text: "after twice this long without a sign of life a connection is given up",
  },
  ...tlsSettings("rabbitmq", "amqps"),
} as const satisfies SettingTable;
