import { fileURLToPath } from "node:url";

/** A PostgreSQL that one test alone may stop, kill and configure. */
export interface OwnServer {
  readonly url: string;
  readonly directory: string;
  stop(): Promise<void>;
  kill(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** On the same port, with the same data. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

interface OwnServerOptions {
  readonly version: 15 | 18;
  readonly settings?: Readonly<Record<string, string>>;
}

/** Whoever starts it closes it; it ends with this process at the latest. */
export async function ownServer(options: OwnServerOptions): Promise<OwnServer> {
  const scripts = new URL("../../../../scripts/services/index.mjs", import.meta.url);
  const { startPostgres } = (await import(fileURLToPath(scripts))) as {
    startPostgres: (options: OwnServerOptions) => Promise<OwnServer>;
  };
  return await startPostgres(options);
}
