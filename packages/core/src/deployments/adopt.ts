import { systemClock } from "../clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { DeploymentKind, Room } from "../contracts/deployer.ts";
import type { RecordStore } from "../contracts/record-store.ts";
import { newTaskId } from "../task-id.ts";
import { DeploymentBook } from "./book.ts";
import { type Entry, newEntry } from "./entry.ts";
import { checkModelName } from "./validate.ts";

/** A server that another gateway started, and whose time this installation is to look after from now on. */
export interface AdoptRequest {
  readonly model: string;
  readonly kind: DeploymentKind;
  /** As its engine and its discovery know it. */
  readonly server: { readonly id: string; readonly serverId: string; readonly name: string };
  readonly modelUri?: string | undefined;
  /** When it was made; the time of a manual one counts from then. */
  readonly createdAtMs: number;
  /** Of a manual one; absent: for ever. */
  readonly ttlMs?: number | undefined;
  /** Of one that was deployed on demand; absent: kept. */
  readonly idleTtlMs?: number | undefined;
  /** When it was used last. Default: now. */
  readonly activeAtMs?: number | undefined;
  /** What it may take of its host. */
  readonly room: Room;
}

/**
 * - `adopted`: it is ours now.
 * - `known`: it was before.
 * - `conflict`: the model has another deployment here.
 */
export type AdoptOutcome = "adopted" | "known" | "conflict";

/**
 * Takes a server over, in one write that any number of gateways may be running beside. Nothing is done to the server
 * itself. Rejects `INVALID_REQUEST`.
 */
export async function adoptServer(
  records: RecordStore,
  request: AdoptRequest,
  { dryRun = false, signal }: OperationOptions & { readonly dryRun?: boolean | undefined } = {},
): Promise<AdoptOutcome> {
  const book = new DeploymentBook(records, systemClock);
  const entry = entryOf(request);
  let outcome: AdoptOutcome = "adopted";
  await book.change((entries) => {
    const before = entries.get(entry.model);
    outcome = before === undefined ? "adopted" : before.adoptedId === entry.adoptedId ? "known" : "conflict";
    return outcome === "adopted" && !dryRun ? { model: entry.model, entry } : undefined;
  }, signal);
  return outcome;
}

function entryOf({ server, createdAtMs, activeAtMs, kind, ...request }: AdoptRequest): Entry {
  const nowMs = systemClock.now();
  const parts = {
    ...{ model: checkModelName(request.model), kind, room: request.room, modelUri: request.modelUri },
    ...{ modelType: undefined, trackingId: undefined, demands: undefined, generation: newTaskId(nowMs) },
    ttlMs: kind === "manual" ? request.ttlMs : undefined,
    idleTtlMs: kind === "auto" ? request.idleTtlMs : undefined,
  };
  return {
    ...newEntry(parts, createdAtMs),
    ...{ phase: "ready", isStarted: true, begunAtMs: createdAtMs, readyAtMs: createdAtMs },
    ...{ activeAtMs: activeAtMs ?? nowMs, server, adoptedId: server.id },
  };
}
