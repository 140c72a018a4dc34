import type { Clock } from "../contracts/clock.ts";
import type { Room } from "../contracts/deployer.ts";
import type { ServerState } from "../contracts/discovery.ts";
import type { Ledger } from "../contracts/ledger.ts";
import type { Entries } from "./book.ts";
import type { Entry } from "./entry.ts";

/** What the controller needs of the gateway that it is part of. */
export interface ControllerHost {
  readonly clock: Clock;
  readonly random: () => number;
  readonly newId: () => string;
  readonly ledger: Pick<Ledger, "stats" | "list">;
  readonly name: string;
  readonly leaseMs: number;
  readonly serverState: (serverId: string) => ServerState | undefined;
  /** The ids of all listed servers, also those that are none of ours. */
  readonly listed: () => Iterable<string>;
  /** Whether a server that is none of ours is listed for the model. */
  readonly isServedBesides: (model: string) => boolean;
  /** What the listed servers take that are none of ours. */
  readonly roomBesides: () => Room;
  /** What this gateway does on a server. */
  readonly loadOf: (serverId: string) => { readonly inFlight: number; readonly background: number };
  /** Begins to watch whether all that was asked of the ledger before now has been answered; then it says `true`. */
  readonly barrier: () => () => boolean;
  /** Ends the tasks that wait for the model with this error; resolves when all that waited were told. */
  readonly failTasks: (
    model: string,
    error: { readonly code: string; readonly message: string },
  ) => Promise<void>;
  /** Something is known anew of a deployment. */
  readonly onChange: (entry: Entry, before: Entry | undefined) => void;
  readonly onGone: (entry: Entry) => void;
  readonly onChecked: (entries: Entries) => void;
  /** Which servers get nothing new from here has changed. */
  readonly onWithheld: () => void;
  readonly onError: (operation: string, error: unknown) => void;
}
