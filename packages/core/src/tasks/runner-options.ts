import type { Checkpoint } from "../checkpoint.ts";
import type { Clock } from "../contracts/clock.ts";
import type { Ledger, Settlement } from "../contracts/ledger.ts";
import type { ObjectStore } from "../contracts/object-store.ts";
import type { ServerProtocol } from "../contracts/server-protocol.ts";
import type { ServerDirectory } from "../routing/server-directory.ts";
import type { Attempt } from "./attempt.ts";

export interface RunnerOptions {
  readonly ledger: Ledger;
  readonly objects: ObjectStore;
  readonly directory: ServerDirectory;
  readonly protocol: (name: string) => ServerProtocol | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly checkpoint: Checkpoint;
  /** Who this is; `incarnation` is new at each start. */
  readonly name: string;
  readonly incarnation: string;
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly inlineBytes: number;
  /** Slots over all servers that it uses at once. Default: no bound. */
  readonly maxConcurrentTasks?: number | undefined;
  readonly events: RunnerEvents;
}

interface RunnerEvents {
  started(attempt: Attempt): void;
  running(attempt: Attempt, runId: string | undefined): void;
  /**
   * The ledger accepted an ending or a handing back; at `endedAtMs` by the store's clock, where this process knows
   * all that the ledger knows of the task.
   */
  settled(attempt: Attempt, item: Settlement, endedAtMs: number | undefined): void;
  ejected(server: string, forMs: number): void;
  /** An attempt gave back its slot on a server. */
  slotFreed?(server: string): void;
  failed(operation: string, error: unknown): void;
}
