import type { GatewayErrorCode } from "@modelgate/core";

/** What was found out. `undefined` is what could not be. */
export interface PostgresInspection {
  /** Whether a session could be opened. */
  readonly isReached: boolean;
  /** From the first byte to an open session. */
  readonly connectMs: number | undefined;
  /** As the server tells it: `15.14 (Debian 15.14-0+deb12u1)`. */
  readonly serverVersion: string | undefined;
  /** Whether the server is new enough. */
  readonly isSupported: boolean | undefined;
  readonly database: string | undefined;
  readonly user: string | undefined;
  /** The protocol, such as `TLSv1.3`; `none` for a connection in the clear. Of the pooler, where there is one. */
  readonly tls: string | undefined;
  readonly schema: string;
  /** 0 where the schema or its tables are not there. */
  readonly schemaVersion: number | undefined;
  /** What this version of Modelgate needs. */
  readonly neededSchemaVersion: number;
  /** What the user may not do and must, in words of SQL: `UPDATE on modelgate.live`. */
  readonly missingRights: readonly string[] | undefined;
  /** The server's clock less this machine's, to about half a round trip. */
  readonly clockDifferenceMs: number | undefined;
  /** `on` or more: what was accepted survives a loss of power. */
  readonly synchronousCommit: string | undefined;
  readonly fsync: boolean | undefined;
  readonly maxConnections: number | undefined;
  /** Of everybody, this one included. */
  readonly connectionsInUse: number | undefined;
  /** A standby, or a database that was set to take no writes. */
  readonly isReadOnly: boolean | undefined;
  /** A pooler stands between, so that the option `pooler` must be true. */
  readonly isPooler: boolean | undefined;
  /** What stood in the way, in the order of the steps. */
  readonly problems: readonly PostgresProblem[];
}

export interface PostgresProblem {
  readonly step: "options" | "connect" | "server" | "schema" | "rights";
  readonly code: GatewayErrorCode;
  readonly message: string;
  /** The option that is wrong, where that can be told. */
  readonly field: string | undefined;
}
