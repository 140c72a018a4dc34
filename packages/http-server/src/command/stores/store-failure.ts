import type { GatewayError } from "@modelgate/core";
import type { BrokerKind } from "../settings/brokers.ts";
import { KEYS, type KeyName, whereToGive } from "../settings/names.ts";
import type { Settings } from "../settings/settings.ts";

/** Where something is kept. */
export type Backend = "postgres" | "s3" | "directory" | BrokerKind;

/** Why a store cannot be used. */
export interface StoreFailure {
  /** One sentence, with the setting that is to be mended. */
  readonly text: string;
  /** Whether waiting may mend it. */
  readonly isPassing: boolean;
}

/** PostgreSQL's codes for what nobody but an operator mends: the user or password, the database. */
const FINAL_STATES = ["28P01", "28000", "3D000"];
/** Options that stay wrong until somebody changes them. An address may be right and nobody there yet. */
const FINAL_FIELDS = [
  ...["password", "tls", "pooler"],
  // Of brokers. A queue of the same name and another kind stays there until somebody deletes it.
  ...["username", "vhost", "cluster", "prefix", "queueType"],
];

/** What to look at when nobody answers, or not in a way that is understood. */
const ADDRESSES: Readonly<Record<Backend, KeyName | undefined>> = {
  postgres: "postgres.url",
  s3: "s3.endpoint",
  directory: undefined,
  redis: "redis.url",
  rabbitmq: "rabbitmq.url",
};

/** The backend that an error tells of; with one alone there is no doubt. */
export function backendOf(error: GatewayError, { store, objects }: Settings): Backend {
  const { adapter } = error.details;
  if (adapter === "postgres" || adapter === "redis" || adapter === "rabbitmq") return adapter;
  if (adapter !== undefined) return "directory";
  if (objects === "s3") return "s3";
  return store === "postgres" ? "postgres" : "directory";
}

/** What an error of a store says to whoever runs the gateway. */
export function storeFailure(error: GatewayError, backend: Backend, settings: Settings): StoreFailure {
  const { field, sqlState } = error.details;
  const isPassing =
    // What is in a file of this machine does not come back by waiting.
    backend !== "directory" &&
    error.code === "STORE_UNAVAILABLE" &&
    !FINAL_STATES.includes(String(sqlState)) &&
    !isFinalField(field);
  const isAway = error.code === "STORE_UNAVAILABLE" && field === undefined && sqlState === undefined;
  const key = isAway ? ADDRESSES[backend] : optionKey(backend, String(field));
  const mend = key === undefined ? "" : `; look at ${whereToGive(key)}`;
  return { text: `${placeOf(backend, settings)}${error.message}${mend}`, isPassing };
}

export function isFinalField(field: unknown): boolean {
  return FINAL_FIELDS.includes(String(field));
}

/** The setting that an adapter's option is made of. */
export function optionKey(backend: Backend, field: string): KeyName | undefined {
  const own = `${backend}.${field}`;
  if (/^(postgres|redis|rabbitmq)\.tls$/.test(own)) return `${backend}.tls.enabled` as KeyName;
  if (own === "redis.cluster") return "redis.cluster.nodes";
  if (own === "redis.sentinels") return "redis.sentinels.nodes";
  if (own === "s3.encryption.keyId") return "s3.kmsKeyId";
  return KEYS.get(own)?.name ?? KEYS.get(`${own}File`.replace("s3.tls.", "s3."))?.name;
}

function placeOf(backend: Backend, settings: Settings): string {
  if (backend === "s3") return `S3 at ${hostOf(settings["s3.endpoint"])}: `;
  // Of brokers, which may have several addresses, the adapters say where they are.
  return backend === "postgres" ? `PostgreSQL at ${hostOf(settings["postgres.url"])}: ` : "";
}

/** The host of an address, which may hold a password. */
export function hostOf(address: string | undefined): string {
  if (address === undefined) return "what the environment says";
  return new URL(address).host || "this machine";
}
