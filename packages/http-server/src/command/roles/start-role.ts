import { mkdir } from "node:fs/promises";
import type { Gateway, Tracking } from "@modelgate/core";
import type { Metrics } from "../../metrics/create-metrics.ts";
import { adminKeyFile, keepAdminKey } from "../admin-key.ts";
import { openServers } from "../docker/open-servers.ts";
import type { Log } from "../log.ts";
import { logEvents } from "../log-events.ts";
import { logRequests } from "../log-requests.ts";
import { openTracking } from "../open-tracking.ts";
import { safeError } from "../safe-error.ts";
import { readCredentials } from "../settings/server-credentials.ts";
import type { Settings } from "../settings/settings.ts";
import { awaitStores } from "../stores/await-stores.ts";
import { isLocal, openStores, type Stores } from "../stores/open-stores.ts";
import { gatewayOptions } from "./gateway-options.ts";
import { openPartPorts } from "./open-part-ports.ts";
import type { Parts } from "./parts.ts";
import { portOf, type Role } from "./role.ts";
import { type HealthServer, type HealthServerOptions, serveHealth } from "./serve-health.ts";
import { tellOfQueue } from "./tell-of-queue.ts";

export interface StartOptions {
  readonly role: Role;
  readonly settings: Settings;
  readonly log: Log;
  /** Takes what is started, also when something fails later on. */
  readonly parts: Parts;
  /** Ends the wait for a service that is down. */
  readonly signal: AbortSignal;
}

/** Starts what a role does. Resolves to where it listens; `undefined` when it does not. */
export async function startRole(options: StartOptions): Promise<string | undefined> {
  const { role, settings, log, parts, signal } = options;
  const [core, { createMetrics }, { timeLedger }] = await Promise.all([
    import("@modelgate/core"),
    import("../../metrics/create-metrics.ts"),
    import("../../metrics/time-ledger.ts"),
  ]);
  const stores = await openStores(settings, log);
  parts.add(() => stores.close());
  // A store that cannot be used is found now, and not by the first caller.
  await awaitStores(stores, { settings, log, signal });
  const adminKey = role.answers ? (settings.adminKey ?? (await keptKey(settings, log))) : undefined;

  const tracking = await openTracking(settings);
  parts.add(async () => tracking?.close());
  const { credentialsOf } = readCredentials(settings);
  const protocol = core.cmsProtocol({
    ...{ tracking, trackingTimeoutMs: settings["mlflow.timeoutMs"] },
    credentials: ({ url }) => credentialsOf(url),
    onError: (error) => log.warn("a model server does not accept its credentials", safeError(error)),
  });
  parts.add(() => protocol.close());
  const { discovery, deployments } = await openServers({
    ...{ settings, protocol, log, records: stores.records, tracking },
    onClose: (close) => parts.add(close),
  });
  const ledger = settings.metrics ? timeLedger(stores.ledger) : stores.ledger;
  const gateway: Gateway = core.createGateway({
    ...gatewayOptions(role, settings),
    ...{ ledger, objects: stores.objects, wakeups: stores.wakeups },
    ...{ protocols: [protocol], discovery, deployments },
  });
  logEvents(gateway.events, log);
  if (role.sweepsObjects) parts.add(sweepUploadsToo(gateway, stores, log));
  const { queue } = stores;
  const components =
    queue && (async () => ({ queue: (await queue.isHealthy()) ? "healthy" : "unhealthy" }) as const);
  const metrics = settings.metrics
    ? createMetrics(gateway, {
        ...{ ledger, role: role.name, components, boostMs: settings.boostMs },
        dataDir: isLocal(settings) ? settings.dataDir : undefined,
      })
    : undefined;
  if (queue !== undefined) tellOfQueue(queue, log, metrics);
  const mainMetrics =
    role.name === "serve" ? await openPartPorts(gateway, { settings, metrics, components, parts }) : metrics;
  await gateway.start();
  return role.answers
    ? await answer(gateway, { ...options, metrics: mainMetrics, components, adminKey, tracking })
    : await tellHealth(gateway, { ...options, metrics, components });
}

interface AnswerOptions extends StartOptions {
  readonly tracking: Tracking | undefined;
  readonly metrics: Metrics | undefined;
  readonly components: HealthServerOptions["components"];
  readonly adminKey: string | undefined;
}

async function answer(
  gateway: Gateway,
  { settings, log, parts, metrics, components, adminKey, tracking }: AnswerOptions,
): Promise<string> {
  const { serveHttp } = await import("../../node/serve-http.ts");
  const { drainMs, host, port, basePath, inlineBytes, maxBodyBytes, maxWaitMs, infoTimeoutMs } = settings;
  const { trackingTimeoutMs, closeConnectionFor, openConfigurations } = settings;
  let closing: Promise<void> | undefined;
  parts.add(async () => {
    await gateway.stop({ drainMs });
    await closing;
  });
  const server = await serveHttp(gateway, {
    onError: (error) => log.error("a request failed", safeError(error)),
    ...{
      host,
      port,
      basePath,
      inlineBytes,
      maxBodyBytes,
      maxWaitMs,
      infoTimeoutMs,
      adminKey,
      metrics,
      components,
    },
    ...{ tracking, trackingTimeoutMs, closeConnectionFor, openConfigurations },
    directCredentials: settings["direct.credentials"],
    onRequest: settings.logRequests ? logRequests(log) : undefined,
  });
  parts.add(async () => {
    // Not awaited yet: answers that are waited for come while the gateway finishes what runs.
    closing = server.close({ drainMs: drainMs + 1_000 });
  });
  return `${server.url}${basePath ?? ""}`;
}

async function tellHealth(
  gateway: Gateway,
  { role, settings, parts, metrics, components }: Omit<AnswerOptions, "adminKey" | "tracking">,
): Promise<string | undefined> {
  const { host, drainMs } = settings;
  const port = portOf(role, settings);
  let health: HealthServer | undefined;
  parts.add(async () => {
    await gateway.stop({ drainMs });
    // Last, so that monitoring can watch it finishing what runs.
    await health?.close();
  });
  if (port !== undefined) health = await serveHealth(gateway, { host, port, metrics, components });
  return health?.url;
}

async function keptKey({ dataDir }: Settings, log: Log): Promise<string> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const { key, isOpen } = await keepAdminKey(dataDir);
  if (isOpen) log.warn(`others can read the admin key; chmod 600 ${adminKeyFile(dataDir)}`);
  return key;
}

/** What no listing shows is looked for whenever objects were. Returns what ends it. */
function sweepUploadsToo(gateway: Gateway, { sweepUploads }: Stores, log: Log): () => Promise<void> {
  const abort = new AbortController();
  let sweeping: Promise<unknown> | undefined;
  gateway.events.on("objects:swept", () => {
    sweeping = sweepUploads?.({ signal: abort.signal }).catch((error: unknown) => {
      if (!abort.signal.aborted) log.warn("unfinished uploads could not be looked for", safeError(error));
    });
  });
  return async () => {
    abort.abort();
    await sweeping;
  };
}
