import { text, textThat, wholeNumber, yesOrNo } from "./kinds.ts";
import { type SettingTable, STORING } from "./setting.ts";
import { shownAddress } from "./shown-address.ts";

const MOST_MS = 600_000;
const commands = [...STORING, "deploy"] as const;

export const POSTGRES_SETTINGS = {
  "postgres.url": {
    kind: textThat(
      "URL",
      "address",
      (url) => URL.canParse(url) && /^postgres(ql)?:$/.test(new URL(url).protocol),
      "give postgres://USER@HOST:PORT/DATABASE, with percent signs for what a URL cannot hold",
    ),
    defaultText: "`PGHOST` and the like",
    isSecret: true,
    shown: shownAddress,
    commands,
    text: "address of the database, with a user and perhaps a password",
  },
  "postgres.password": {
    kind: text("PASSWORD"),
    defaultText: "that of the address",
    isSecret: true,
    commands,
    text: "password, in place of one in the address",
  },
  "postgres.schema": {
    kind: textThat(
      "NAME",
      "name in small letters, digits and underscores",
      (name) => /^(?!pg_)[a-z][a-z0-9_]{0,47}$/.test(name),
      "give 1 to 48 small letters, digits and underscores that begin with a letter, and not with pg_",
    ),
    default: "modelgate",
    commands,
    text: "schema in which the tables are",
  },
  "postgres.pooler": {
    kind: yesOrNo,
    default: false,
    commands,
    text: "whether a transaction pooler, such as pgbouncer, stands before the server",
  },
  "postgres.maxConnections": {
    kind: wholeNumber(2, 1000),
    default: 10,
    commands,
    text: "most connections of this process, and one more for wake-ups",
  },
  "postgres.connectTimeoutMs": {
    kind: wholeNumber(1, MOST_MS),
    default: 5_000,
    unit: "ms",
    commands,
    text: "longest wait for a connection",
  },
  "postgres.statementTimeoutMs": {
    kind: wholeNumber(100, MOST_MS),
    default: 15_000,
    unit: "ms",
    commands,
    text: "longest time for one statement",
  },
  "postgres.tls.enabled": {
    kind: yesOrNo,
    defaultText: "`true` when another of `postgres.tls` is given",
    commands,
    text: "whether the connection is encrypted",
  },
  "postgres.tls.caFile": {
    kind: text("FILE"),
    defaultText: "what Node trusts",
    commands,
    text: "certificates that the server's is checked by, as PEM",
  },
  "postgres.tls.certFile": {
    kind: text("FILE"),
    defaultText: "none",
    commands,
    text: "certificate of this client, as PEM",
  },
  "postgres.tls.keyFile": {
    kind: text("FILE"),
    defaultText: "none",
    commands,
    text: "its private key, as PEM",
  },
  "postgres.tls.serverName": {
    kind: text("NAME"),
    defaultText: "the host's",
    commands,
    text: "name that the server's certificate has to have",
  },
  "postgres.tls.verify": {
    kind: yesOrNo,
    default: true,
    commands,
    text: "whether the server's certificate is checked",
  },
  "postgres.migrate": {
    kind: yesOrNo,
    default: true,
    commands,
    text: "whether a start brings the schema up to date; else modelgate migrate does",
  },
} as const satisfies SettingTable;
