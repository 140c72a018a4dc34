import { systemClock } from "../clock.ts";
import type { Clock } from "../contracts/clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { ModelServer } from "../contracts/discovery.ts";
import type { ServerProtocol } from "../contracts/server-protocol.ts";
import type { Tracking } from "../contracts/tracking.ts";
import type { GatewayError } from "../errors.ts";
import { invalidOption } from "../option-checks.ts";
import { callCms } from "./cms-call.ts";
import { cmsInfo, probeCms } from "./cms-control.ts";
import { type CmsCredentials, CmsLogins } from "./cms-logins.ts";
import { CMS_OPERATIONS, type CmsOperation, type CmsOperationSpec } from "./cms-operations.ts";
import { passCms } from "./cms-pass.ts";
import { cmsPassRule } from "./cms-pass-rule.ts";
import { type CmsRunContext, cancelCmsRun, findCmsRun } from "./cms-runs.ts";
import { UpgradeClient, upgradeCms } from "./cms-upgrade.ts";
import { ControlClient } from "./control-client.ts";
import { HttpTransport } from "./http-transport.ts";
import { ProbeClient } from "./probe-client.ts";
import { TrackedRuns } from "./tracked-runs.ts";

/** All durations in milliseconds. */
export interface CmsProtocolOptions {
  /** Time limits by operation, over the defaults: 30 s to 1 h for answers, 24 h for a whole run. */
  readonly timeoutsMs?: Readonly<Partial<Record<CmsOperation, number>>> | undefined;
  /** Within which background work must be accepted, its upload included. Default 10 min. */
  readonly acceptTimeoutMs?: number | undefined;
  /** For each try of a probe. Default 2 s. */
  readonly probeTimeoutMs?: number | undefined;
  /** For `findRun`, `cancelRun` and `info`. Default 10 s. */
  readonly controlTimeoutMs?: number | undefined;
  /** For opening a connection. Default 5 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** Connections to one server at most. Default 128. */
  readonly connections?: number | undefined;
  /** How long an idle connection is kept, unless the server names a time. Default 4 s: a CMS closes after 5. */
  readonly keepAliveMs?: number | undefined;
  /** Longest `Retry-After` that is believed. Default 10 min. */
  readonly maxRetryAfterMs?: number | undefined;
  /**
   * Where the servers log their runs. Without it, what became of a training is told by its server alone. It is not
   * closed with the protocol. Default: none.
   */
  readonly tracking?: Tracking | undefined;
  /** For each question to the tracker. Default 10 s. */
  readonly trackingTimeoutMs?: number | undefined;
  /**
   * As whom a server is spoken to, where it asks who calls: a user, who logs in at `/auth/jwt/login` and again after a
   * 401, or a token. Asked before each request, so that a change counts at once. They are kept in memory and appear in
   * no error. Who passes a request on with an `authorization` of its own goes without. Default: nobody.
   */
  readonly credentials?: ((server: ModelServer) => CmsCredentials | undefined) | undefined;
  /**
   * Told once when a server does not accept its credentials (`SERVER_REJECTED`), and again only after it has. What is
   * for that server waits meanwhile. It must not throw. Default: nobody is told.
   */
  readonly onError?: ((error: GatewayError) => void) | undefined;
  /** Default: the host's time. The client's own timers (connecting, idle connections) are always the host's. */
  readonly clock?: Clock | undefined;
}

const DEFAULTS = {
  acceptTimeoutMs: 600_000,
  probeTimeoutMs: 2000,
  controlTimeoutMs: 10_000,
  trackingTimeoutMs: 10_000,
  connectTimeoutMs: 5000,
  connections: 128,
  keepAliveMs: 4000,
  maxRetryAfterMs: 600_000,
} as const;

/**
 * Speaks to CogStack ModelServe. Payloads, query strings and answers pass through byte by byte, streamed both ways;
 * only the `tracking_id` of trainings and evaluations is set, to the task's id.
 *
 * `call` never sends twice. Work that is not repeatable gets a connection of its own, so that a reset means that the
 * server was there. The payload's stream has been read or let go of when the answer is over. A payload that cannot
 * be read, or is not as long as announced (`PAYLOAD_LOST`), rejects: it is not the server's doing. An abort also
 * closes an answer that is still being read. A time limit that passes before the first byte left is `unreachable`.
 *
 * `instance` is the header `x-instance-id`, where something before the server sets it, and for trainings also when the
 * server's process began, by its metrics. Rejects `INVALID_OPTIONS`.
 */
export function cmsProtocol(options: CmsProtocolOptions = {}): ServerProtocol {
  const settings = { ...DEFAULTS, ...definedNumbers(options) };
  const clock = options.clock ?? systemClock;
  const operations = operationsWith(options.timeoutsMs ?? {});
  const transport = new HttpTransport({ clock, ...settings });
  const { controlTimeoutMs, connectTimeoutMs } = settings;
  const { credentials, onError } = options;
  const logins = new CmsLogins({ transport, clock, credentials, onError, timeoutMs: controlTimeoutMs });
  const control = new ControlClient(transport, clock, logins);
  const probes = new ProbeClient(clock);
  const upgrades = new UpgradeClient(clock, connectTimeoutMs);
  const tracked = options.tracking?.capabilities.runs
    ? new TrackedRuns(options.tracking, clock, settings.trackingTimeoutMs)
    : undefined;
  const runs: CmsRunContext = { control, transport, clock, tracked, controlTimeoutMs };
  const check = (operation: OperationOptions): void => {
    transport.throwIfClosed();
    operation.signal?.throwIfAborted();
  };
  return {
    name: "cms",
    operations,
    capabilities: { findsRuns: true, cancelsRuns: true, passes: true, upgrades: true },
    async probe(server, operation = {}) {
      check(operation);
      return probeCms(probes, logins, server, settings.probeTimeoutMs, operation);
    },
    call: async (call, operation = {}) =>
      callCms(call, { transport, clock, logins, operations, runs, ...settings }, operation),
    async findRun(query, operation = {}) {
      check(operation);
      return findCmsRun(runs, query, operation);
    },
    async cancelRun(query, operation = {}) {
      check(operation);
      return cancelCmsRun(runs, query, operation);
    },
    async info(server, operation = {}) {
      check(operation);
      return cmsInfo(transport, logins, server, settings.controlTimeoutMs, operation);
    },
    pass: {
      rule: (_method, path) => cmsPassRule(path),
      async send(request, operation = {}) {
        check(operation);
        return passCms(request, { transport, clock, logins, ...settings }, operation);
      },
      async upgrade(request, operation = {}) {
        check(operation);
        return upgradeCms(request, { client: upgrades, logins }, operation);
      },
    },
    async close() {
      probes.close();
      upgrades.close();
      await transport.close();
    },
  };
}

/** Options that are no numbers. */
const OTHERS = ["timeoutsMs", "tracking", "clock", "credentials", "onError"];

type Setting = keyof typeof DEFAULTS;

function definedNumbers(options: CmsProtocolOptions): Partial<Record<Setting, number>> {
  const known = new Set([...Object.keys(DEFAULTS), ...OTHERS]);
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw invalidOption(name, "is not an option of the CMS protocol");
  }
  for (const name of ["credentials", "onError"] as const) {
    if (options[name] !== undefined && typeof options[name] !== "function")
      throw invalidOption(name, "must be a function");
  }
  const given: Partial<Record<Setting, number>> = {};
  for (const name of Object.keys(DEFAULTS) as Setting[]) {
    const value = options[name];
    if (value === undefined) continue;
    const isWhole = name !== "connections" || Number.isInteger(value);
    if (!(Number.isFinite(value) && value > 0 && isWhole))
      throw invalidOption(name, "must be a number above 0");
    given[name] = value;
  }
  return given;
}

function operationsWith(
  timeoutsMs: Readonly<Partial<Record<CmsOperation, number>>>,
): ReadonlyMap<string, CmsOperationSpec> {
  const operations = new Map<string, CmsOperationSpec>(Object.entries(CMS_OPERATIONS));
  for (const [name, timeoutMs] of Object.entries(timeoutsMs)) {
    if (timeoutMs === undefined) continue;
    const operation = operations.get(name);
    if (operation === undefined) throw invalidOption(`timeoutsMs.${name}`, "is not an operation of CMS");
    if (!(Number.isFinite(timeoutMs) && timeoutMs > 0)) {
      throw invalidOption(`timeoutsMs.${name}`, "must be a number above 0");
    }
    operations.set(name, { ...operation, timeoutMs });
  }
  return operations;
}
