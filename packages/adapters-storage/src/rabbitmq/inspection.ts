import type { GatewayErrorCode } from "@modelgate/core";

/** What was found out. `undefined` is what could not be. */
export interface RabbitmqInspection {
  /** Whether a connection to the vhost could be opened. */
  readonly isReached: boolean;
  /** From the first byte to an open connection. */
  readonly connectMs: number | undefined;
  /** As the broker calls itself. */
  readonly product: string | undefined;
  readonly serverVersion: string | undefined;
  readonly cluster: string | undefined;
  /** The protocol, such as `TLSv1.3`; `none` for a connection in the clear. */
  readonly tls: string | undefined;
  readonly vhost: string | undefined;
  readonly user: string | undefined;
  /** Of the queues that would be made. */
  readonly queueType: "quorum" | "classic" | undefined;
  /** Whether names that begin with `prefix` may be made, written to and read. */
  readonly canConfigure: boolean | undefined;
  readonly canWrite: boolean | undefined;
  readonly canRead: boolean | undefined;
  /** Because of which the broker takes no messages now. */
  readonly alarm: "memory" | "disk" | "none" | undefined;
  /** From a message that is published to its confirm. */
  readonly confirmMs: number | undefined;
  /** What stood in the way, or should be mended, in the order of the steps. */
  readonly problems: readonly RabbitmqProblem[];
}

export interface RabbitmqProblem {
  readonly step: "options" | "connect" | "server" | "configure" | "write" | "read";
  readonly code: GatewayErrorCode;
  /** What is wrong, and how it is mended. */
  readonly message: string;
  /** The option that is wrong, where that can be told. */
  readonly field: string | undefined;
}
