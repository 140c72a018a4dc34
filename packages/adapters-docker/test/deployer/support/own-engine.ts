import { onTestFinished } from "vitest";

/** An engine of one's own, to be stopped and hung. */
export interface OwnEngine {
  readonly socket: string;
  readonly env: Readonly<Record<string, string>>;
  start(): Promise<void>;
  stop(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  close(): Promise<void>;
}

export async function startEngine(options: { readonly liveRestore?: boolean } = {}): Promise<OwnEngine> {
  const scripts = new URL("../../../../../scripts/services/index.mjs", import.meta.url);
  const { startDocker } = (await import(scripts.href)) as {
    startDocker: (options: object) => Promise<OwnEngine>;
  };
  const engine = await startDocker({ registry: false, ...options });
  onTestFinished(() => engine.close());
  return engine;
}
