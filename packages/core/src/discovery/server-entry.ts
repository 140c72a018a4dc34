import type { Room } from "../contracts/deployer.ts";

/** A server as a discovery found it, without what its probes say. */
export interface ServerEntry {
  readonly id: string;
  readonly url: string;
  readonly models: readonly string[];
  readonly protocol: string;
  readonly limit: number | undefined;
  readonly weight?: number | undefined;
  readonly room?: Partial<Room> | undefined;
  /** Its incarnation, where the discovery can tell; else its probe may. */
  readonly instance?: string | undefined;
  readonly details?: Readonly<Record<string, string>> | undefined;
  /** Why it cannot answer though it is there, such as a pause. It is not probed then, and not ready. */
  readonly suspended?: string | undefined;
}
