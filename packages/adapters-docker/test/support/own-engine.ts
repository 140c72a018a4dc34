import { fileURLToPath } from "node:url";

/** An engine that a test may stop, kill, hang and lose. */
export interface OwnEngine {
  readonly socket: string;
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
  start(): Promise<void>;
  kill(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  crashHost(): Promise<void>;
  close(): Promise<void>;
}

interface OwnEngineOptions {
  readonly liveRestore: boolean;
  readonly registry: boolean;
}

/** Whoever starts it closes it; it ends with this process at the latest. */
export async function startEngine(liveRestore: boolean): Promise<OwnEngine> {
  const scripts = new URL("../../../../scripts/services/index.mjs", import.meta.url);
  const { startDocker } = (await import(fileURLToPath(scripts))) as {
    startDocker: (options: OwnEngineOptions) => Promise<OwnEngine>;
  };
  return await startDocker({ liveRestore, registry: false });
}
