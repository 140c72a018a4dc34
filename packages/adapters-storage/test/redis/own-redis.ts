import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { onTestFinished, vi } from "vitest";

export const SOON = { timeout: 10_000, interval: 20 };

/** A Redis with a password and TLS that one test alone may stop, freeze and configure. */
export interface OwnRedis {
  readonly url: string;
  readonly tlsUrl: string;
  readonly caFile: string;
  readonly port: number;
  readonly password: string;
  kill(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  restart(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Ends with the test. */
export async function ownRedis(settings: Readonly<Record<string, string>> = {}): Promise<OwnRedis> {
  const scripts = new URL("../../../../scripts/services/index.mjs", import.meta.url);
  const { startRedis } = (await import(fileURLToPath(scripts))) as {
    startRedis(options: { settings: Readonly<Record<string, string>> }): Promise<OwnRedis>;
  };
  const server = await startRedis({ settings });
  onTestFinished(() => server.close());
  return server;
}

/** One of several that make a Cluster, or a primary with its replica and Sentinel. It has no password. */
export interface BareRedis {
  readonly port: number;
  readonly url: string;
  /** One command over a connection of its own. */
  ask(command: string, ...args: string[]): Promise<unknown>;
  kill(): Promise<void>;
}

/** Ends with the test. `settings` are lines of `redis.conf`. */
export async function bareRedis(
  settings: readonly string[],
  { isSentinel = false, port }: { isSentinel?: boolean; port?: number } = {},
): Promise<BareRedis> {
  const folder = await mkdtemp(join(tmpdir(), "modelgate-redis-"));
  const bound = port ?? (await freePort());
  const file = join(folder, "redis.conf");
  await writeFile(file, [`port ${bound}`, "bind 127.0.0.1", `dir ${folder}`, ...settings, ""].join("\n"));
  const args = ["redis-server", file, ...(isSentinel ? ["--sentinel"] : [])];
  // It ends with this process at the latest.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", ...args], { stdio: "ignore" });
  const ended = once(child, "exit");
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  onTestFinished(async () => {
    await kill();
    await rm(folder, { recursive: true, force: true });
  });
  const server: BareRedis = {
    port: bound,
    url: `redis://127.0.0.1:${bound}`,
    async ask(command, ...rest) {
      const client = new Redis({
        port: bound,
        host: "127.0.0.1",
        lazyConnect: true,
        retryStrategy: () => null,
      });
      client.on("error", () => {});
      try {
        await client.connect();
        return await client.call(command, rest);
      } finally {
        client.disconnect();
      }
    },
    kill,
  };
  await vi.waitFor(() => server.ask("ping"), SOON);
  return server;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
