import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Gateway, GatewayError } from "@modelgate/core";
import type { HttpServer } from "../node/serve-http.ts";
import { createLog, type Log } from "./log.ts";
import { logEvents } from "./log-events.ts";
import type { ReadSettings } from "./read-settings.ts";
import { safeError } from "./safe-error.ts";
import type { Settings } from "./settings-schema.ts";
import { stopSignal } from "./stop-signal.ts";

const DRAIN_MS = 10_000;

/** Runs a gateway with everything in one process, until a signal. Resolves to the exit code. */
export async function serve({ settings, jsonLogs, warnings }: ReadSettings): Promise<number> {
  // Whoever read the output may be gone; that is no reason to end.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const log = createLog({
    level: settings.logLevel,
    asJson: jsonLogs,
    write: (line) => process.stderr.write(line),
  });
  for (const warning of warnings) log.warn(warning);
  process.on("uncaughtException", (error) => {
    log.error("something failed in a way that nobody expected; the process ends", safeError(error));
    process.exit(1);
  });

  const stopped = stopSignal();
  const parts = new Parts(log);
  try {
    const server = await startParts(settings, log, parts);
    process.stdout.write(`${greeting(server, settings)}\n`);
    log.info("stopping", { signal: await stopped, drainMs: DRAIN_MS });
    return 0;
  } catch (error) {
    log.error(startFailure(error, settings));
    return GatewayError.is(error, "INVALID_OPTIONS") ? 2 : 1;
  } finally {
    await parts.stop();
  }
}

/** What was started, to be ended in the reverse order. */
class Parts {
  readonly #ends: (() => Promise<unknown>)[] = [];
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  add(end: () => Promise<unknown>): void {
    this.#ends.push(end);
  }

  async stop(): Promise<void> {
    for (const end of this.#ends.reverse()) {
      await end().catch((error: unknown) => this.#log.error("a part did not end well", safeError(error)));
    }
  }
}

async function startParts(settings: Settings, log: Log, parts: Parts): Promise<HttpServer> {
  const { host, port, dataDir, servers, inlineBytes, maxBodyBytes, leaseMs, pollMs, retention } = settings;
  const [core, { sqliteStore }, { filesystemObjectStore }, { serveHttp }] = await Promise.all([
    import("@modelgate/core"),
    import("@modelgate/adapters-storage/sqlite"),
    import("@modelgate/adapters-storage/filesystem"),
    import("../node/serve-http.ts"),
    mkdir(dataDir, { recursive: true, mode: 0o700 }),
  ]);
  const store = sqliteStore({ directory: dataDir });
  parts.add(() => store.close());
  const objects = filesystemObjectStore({ directory: join(dataDir, "objects") });
  parts.add(() => objects.close());
  const protocol = core.cmsProtocol();
  parts.add(() => protocol.close());
  const discovery = core.staticDiscovery({
    servers: byAddress(servers),
    probe: new Map([[protocol.name, protocol]]),
  });
  parts.add(() => discovery.close());

  const gateway: Gateway = core.createGateway({
    ledger: store.ledger,
    protocols: [protocol],
    maxPayloadBytes: maxBodyBytes,
    ...{ objects, discovery, leaseMs, pollMs, inlineBytes, retention },
  });
  logEvents(gateway.events, log);
  // A store that cannot be opened is found now, and not by the first caller.
  await store.ledger.stats();
  await gateway.start();
  let closing: Promise<void> | undefined;
  parts.add(async () => {
    await gateway.stop({ drainMs: DRAIN_MS });
    await closing;
  });
  const server = await serveHttp(gateway, {
    onError: (error) => log.error("a request failed", safeError(error)),
    ...{ host, port, inlineBytes, maxBodyBytes },
  });
  parts.add(async () => {
    // Not awaited yet: answers that are waited for come while the gateway finishes what runs.
    closing = server.close({ drainMs: DRAIN_MS + 1_000 });
  });
  return server;
}

/** A server that serves several models is one server. */
function byAddress(servers: Settings["servers"]): { url: string; models: string[] }[] {
  const models = new Map<string, string[]>();
  for (const { name, url } of servers) {
    const { href } = new URL(url);
    models.set(href, [...(models.get(href) ?? []), name]);
  }
  return [...models].map(([url, names]) => ({ url, models: [...new Set(names)] }));
}

function greeting({ url }: HttpServer, { dataDir, servers }: Settings): string {
  const known = byAddress(servers).length;
  const count = known === 1 ? "1 server" : `${known} servers`;
  return `modelgate is listening on ${url} (data in ${dataDir}, ${count})`;
}

function startFailure(error: unknown, { host, port, dataDir }: Settings): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") {
    return `port ${port} of ${host} is in use; choose another one with --port, or end what listens there`;
  }
  if (code === "EACCES" && message.includes("listen")) return `port ${port} of ${host} may not be used`;
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") return `${host} is no address of this machine`;
  if (code === "EACCES" || code === "EROFS" || code === "ENOTDIR" || code === "EEXIST") {
    return `the data directory ${dataDir} cannot be used (${code})`;
  }
  if (GatewayError.is(error)) return `${error.message} (${error.code})`;
  return `the start failed: ${error instanceof Error ? error.message : String(error)}`;
}
