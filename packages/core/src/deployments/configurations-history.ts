import type { JsonValue } from "../contracts/record-store.ts";
import { GatewayError } from "../errors.ts";
import type { Configuration } from "./api.ts";

const MAX_VERSIONS = 100;
/** A record may have 256 KiB. */
const MAX_BYTES = 250_000;

/** The configurations of one model, oldest first. At most one is enabled. */
export type History = readonly Configuration[];

export function enabledOf(history: History): Configuration | undefined {
  return history.find(({ isEnabled }) => isEnabled);
}

/** Adds a version, which takes the place of the enabled one. */
export function add(history: History, version: Configuration): History {
  return withinBounds([...disableAll(history, version.createdAtMs), version]);
}

/** Puts `version` where the one of its id is. */
export function replace(history: History, version: Configuration): History {
  return withinBounds(history.map((each) => (each.id === version.id ? version : each)));
}

/** Enables the version with this id in place of the one that is. */
export function enable(history: History, id: number, nowMs: number): History {
  return disableAll(history, nowMs, id).map((each) =>
    each.id === id && !each.isEnabled ? { ...each, isEnabled: true, updatedAtMs: nowMs } : each,
  );
}

export function disableAll(history: History, nowMs: number, exceptId?: number): History {
  return history.map((each) =>
    each.isEnabled && each.id !== exceptId ? { ...each, isEnabled: false, updatedAtMs: nowMs } : each,
  );
}

/** Without the oldest disabled ones, as far as there are too many or they are too large together. */
export function withinBounds(history: History): History {
  const kept = [...history];
  const sizes = kept.map((version) => Buffer.byteLength(JSON.stringify(version), "utf8") + 1);
  let sizeBytes = sizes.reduce((sum, size) => sum + size, 0);
  while (kept.length > MAX_VERSIONS || sizeBytes > MAX_BYTES) {
    const oldest = kept.findIndex(({ isEnabled }) => !isEnabled);
    if (oldest === -1) break;
    kept.splice(oldest, 1);
    sizeBytes -= sizes.splice(oldest, 1)[0] ?? 0;
  }
  return kept;
}

export function toJson(history: History): JsonValue {
  // A copy without members that are `undefined`, which JSON does not have.
  return JSON.parse(JSON.stringify({ v: 1, versions: history })) as JsonValue;
}

export function fromJson(value: JsonValue): History {
  const { v, versions } = value as unknown as { readonly v: number; readonly versions: History };
  if (v !== 1) {
    throw new GatewayError(
      "STORE_TOO_NEW",
      "the on-demand configurations were written by a newer version of Modelgate",
    );
  }
  return versions;
}
