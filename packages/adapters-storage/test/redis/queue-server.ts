import { fileURLToPath } from "node:url";

/** A Redis that one test alone may stop, kill and flush. */
export interface QueueServer {
  readonly url: string;
  readonly port: number;
  readonly password: string;
  start(): Promise<void>;
  kill(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  close(): Promise<void>;
}

interface QueueServerOptions {
  readonly persistence?: "none" | "aof" | "aof-always";
  readonly settings?: Readonly<Record<string, string>>;
}

/** Whoever starts it closes it; it ends with this process at the latest. */
export async function queueServer(options: QueueServerOptions = {}): Promise<QueueServer> {
  const scripts = new URL("../../../../scripts/services/index.mjs", import.meta.url);
  const { startRedis } = (await import(fileURLToPath(scripts))) as {
    startRedis: (options: QueueServerOptions) => Promise<QueueServer>;
  };
  return await startRedis(options);
}
