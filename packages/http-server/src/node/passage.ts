/** What a host has done with a request before it came here. */
export interface Passage {
  /** What was taken off the front of the path. */
  readonly mountPath: string;
  /** Whether the client holds its body back until it is asked for. */
  readonly awaitsContinue: boolean;
  /** Whether the connection can be had for another protocol. Default `false`. */
  readonly canUpgrade?: boolean | undefined;
  /** Gets requests of other paths. */
  readonly next: (() => void) | undefined;
}
