import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Gateway, GatewayOptions } from "@modelgate/core";
import type { HttpServer } from "../node/serve-http.ts";
import { adminKeyFile, keepAdminKey } from "./admin-key.ts";
import type { Log } from "./log.ts";
import { logEvents } from "./log-events.ts";
import { safeError } from "./safe-error.ts";
import { byAddress } from "./server-addresses.ts";
import type { Settings } from "./settings/settings.ts";

/** What was started, to be ended in the reverse order. */
export class Parts {
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

/** Starts a gateway and its HTTP server. What was started when something fails is in `parts` all the same. */
export async function startParts(settings: Settings, log: Log, parts: Parts): Promise<HttpServer> {
  const { dataDir, drainMs } = settings;
  const [core, { sqliteStore }, { filesystemObjectStore }, { serveHttp }, { createMetrics }] =
    await Promise.all([
      import("@modelgate/core"),
      import("@modelgate/adapters-storage/sqlite"),
      import("@modelgate/adapters-storage/filesystem"),
      import("../node/serve-http.ts"),
      import("../metrics/create-metrics.ts"),
      mkdir(dataDir, { recursive: true, mode: 0o700 }),
    ]);
  const store = sqliteStore({ directory: dataDir });
  parts.add(() => store.close());
  const objects = filesystemObjectStore({ directory: join(dataDir, "objects") });
  parts.add(() => objects.close());
  const protocol = core.cmsProtocol();
  parts.add(() => protocol.close());
  const discovery = core.staticDiscovery({
    servers: byAddress(settings.servers),
    probe: new Map([[protocol.name, protocol]]),
  });
  parts.add(() => discovery.close());

  const gateway: Gateway = core.createGateway({
    ...gatewayOptions(settings),
    ...{ ledger: store.ledger, protocols: [protocol], objects, discovery },
  });
  logEvents(gateway.events, log);
  const metrics = settings.metrics ? createMetrics(gateway, { ledger: store.ledger }) : undefined;
  const [adminKey] = await Promise.all([
    settings.adminKey ?? keptKey(dataDir, log),
    // A store that cannot be opened is found now, and not by the first caller.
    store.ledger.stats(),
  ]);
  await gateway.start();
  let closing: Promise<void> | undefined;
  parts.add(async () => {
    await gateway.stop({ drainMs });
    await closing;
  });
  const { host, port, basePath, inlineBytes, maxBodyBytes, maxWaitMs, infoTimeoutMs } = settings;
  const server = await serveHttp(gateway, {
    onError: (error) => log.error("a request failed", safeError(error)),
    ...{ host, port, basePath, inlineBytes, maxBodyBytes, maxWaitMs, infoTimeoutMs, adminKey, metrics },
  });
  parts.add(async () => {
    // Not awaited yet: answers that are waited for come while the gateway finishes what runs.
    closing = server.close({ drainMs: drainMs + 1_000 });
  });
  return server;
}

/** The settings that are a gateway's options under the same, or nearly the same, name. */
function gatewayOptions(settings: Settings): Omit<GatewayOptions, "discovery"> {
  const { name, runs, leaseMs, pollMs, inlineBytes, boostMs, waitMs, noServerMs, maxFailures } = settings;
  const { idempotencyMs, modelMemoryMs, defaultLimit, retention, objectSweepMs, maxBodyBytes } = settings;
  return {
    ...{ name, runs, leaseMs, pollMs, inlineBytes, boostMs, waitMs, noServerMs, maxFailures },
    ...{ idempotencyMs, modelMemoryMs, defaultLimit, retention, objectSweepMs },
    maxPayloadBytes: maxBodyBytes,
    maxWaiting: { tasks: settings.maxWaitingTasks, bytes: settings.maxWaitingBytes },
  };
}

async function keptKey(dataDir: string, log: Log): Promise<string> {
  const { key, isOpen } = await keepAdminKey(dataDir);
  if (isOpen) log.warn(`others can read the admin key; chmod 600 ${adminKeyFile(dataDir)}`);
  return key;
}
