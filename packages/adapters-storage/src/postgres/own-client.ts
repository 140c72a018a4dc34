import pg from "pg";

/**
 * Ends what could not be connected. The driver leaves a connection open whose authentication failed on our side, as
 * without a password; the server keeps it for a minute, and counts it.
 */
export class OwnClient extends pg.Client {
  override connect(): Promise<pg.Client>;
  override connect(callback: (error: Error) => void): void;
  override connect(callback?: (error: Error) => void): Promise<pg.Client> | undefined {
    const connecting = super.connect().catch((error: unknown) => {
      destroy(this);
      throw error;
    });
    if (callback === undefined) return connecting;
    const done = callback as (error?: Error, client?: pg.Client) => void;
    connecting.then((client) => done(undefined, client), done);
    return undefined;
  }
}

/** Breaks the connection without a farewell. */
export function destroy(client: pg.Client): void {
  (client as unknown as { connection?: { stream?: { destroy(): void } } }).connection?.stream?.destroy();
}
