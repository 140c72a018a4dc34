import { GatewayError, type Health, type Tracking } from "@modelgate/core";
import type { Metrics } from "./metrics/create-metrics.ts";
import type { OnRequest } from "./requests/answered-request.ts";

/** How parts do, by their names. */
export type Components = Health["components"];

export interface HttpOptions {
  /** Where the API is mounted, such as `/gateway`. Default: at the root. */
  readonly basePath?: string | undefined;
  /** Bodies up to this size are read whole, larger ones streamed; give the gateway's own. Default 32,768. */
  readonly inlineBytes?: number | undefined;
  /** Largest request body. Default 4 GiB. */
  readonly maxBodyBytes?: number | undefined;
  /** Longest wait that `Prefer: wait=N` gets, and a deployment up to 240,000. Default 300,000. */
  readonly maxWaitMs?: number | undefined;
  /** How long `GET /models/?verbose=true` waits for what servers say of themselves. Default 2,000. */
  readonly infoTimeoutMs?: number | undefined;
  /** Tells of the models in `GET /models/?verbose=true` what was written down when they were made. Default: nothing does. */
  readonly tracking?: Tracking | undefined;
  /** How long `GET /models/?verbose=true` waits for the tracker. Default 2,000. */
  readonly trackingTimeoutMs?: number | undefined;
  /**
   * User agents, by their beginning or by an expression, whose connection is closed after each answer: for clients that
   * fail on connections that stay open. Nothing for fetch handlers, whose host has the connections. Default: none, but
   * for `serveHttp`.
   */
  readonly closeConnectionFor?: readonly (string | RegExp)[] | undefined;
  /**
   * Who sends it in `X-Modelgate-Key`, or as the password of basic authentication, may list tasks, configure
   * on-demand models and read what servers write; 16 to 255 visible ASCII characters. Default: nobody may.
   */
  readonly adminKey?: string | undefined;
  /** Whether everybody may configure on-demand models, as CMG lets them. Default `false`. */
  readonly openConfigurations?: boolean | undefined;
  /**
   * Whose credentials a request that goes straight to a server has: `none` of its caller's, and those of the server's
   * protocol, if any; or the `caller`'s own `Authorization` and `Cookie`, but never the admin's key. Default `none`.
   */
  readonly directCredentials?: "none" | "caller" | undefined;
  /** Counts requests, and is served at `/metrics`; made by `createMetrics`. Default: there is no such route. */
  readonly metrics?: Metrics | undefined;
  /**
   * Parts that the health routes name beside the gateway's own, such as a queue that may lose everything. One that is
   * away makes nothing unhealthy. Default: there are none.
   */
  readonly components?: (() => Promise<Components>) | undefined;
  /**
   * Told of each request when its answer begins, which then has an `X-Request-Id`; servers that it goes straight to get
   * that, too. It must not throw. Default: nobody is told.
   */
  readonly onRequest?: OnRequest | undefined;
  /** Told of every error that is not the caller's. It must not throw, and must not log the message of unknown errors. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

type Optional = "adminKey" | "components" | "metrics" | "onRequest" | "tracking";

export type ResolvedHttpOptions = {
  readonly [Name in Exclude<keyof HttpOptions, Optional>]-?: NonNullable<HttpOptions[Name]>;
} & Pick<HttpOptions, Optional>;

const WHOLE_NUMBERS = [
  "inlineBytes",
  "maxBodyBytes",
  "maxWaitMs",
  "infoTimeoutMs",
  "trackingTimeoutMs",
] as const;

export function resolveHttpOptions(options: HttpOptions): ResolvedHttpOptions {
  const resolved: ResolvedHttpOptions = {
    basePath: options.basePath ?? "",
    inlineBytes: options.inlineBytes ?? 32_768,
    maxBodyBytes: options.maxBodyBytes ?? 4 * 1024 ** 3,
    maxWaitMs: options.maxWaitMs ?? 300_000,
    infoTimeoutMs: options.infoTimeoutMs ?? 2_000,
    tracking: options.tracking,
    trackingTimeoutMs: options.trackingTimeoutMs ?? 2_000,
    closeConnectionFor: options.closeConnectionFor ?? [],
    adminKey: options.adminKey,
    openConfigurations: options.openConfigurations ?? false,
    directCredentials: options.directCredentials ?? "none",
    metrics: options.metrics,
    components: options.components,
    onRequest: options.onRequest,
    onError: options.onError ?? (() => {}),
  };
  for (const field of WHOLE_NUMBERS) {
    if (!Number.isSafeInteger(resolved[field]) || resolved[field] < 0) {
      throw invalidOption(field, resolved[field], "give a whole number from 0");
    }
  }
  if (resolved.closeConnectionFor.some((agent) => agent === "")) {
    throw invalidOption("closeConnectionFor", "", "give how user agents begin, or leave it out");
  }
  if (!["none", "caller"].includes(resolved.directCredentials)) {
    throw invalidOption("directCredentials", resolved.directCredentials, 'give "none" or "caller"');
  }
  if (resolved.basePath !== "" && !/^(\/[\w.~-]+)+$/.test(resolved.basePath)) {
    throw invalidOption("basePath", resolved.basePath, 'give a path such as "/gateway"');
  }
  if (resolved.adminKey !== undefined && !/^[\x21-\x7e]{16,255}$/.test(resolved.adminKey)) {
    throw new GatewayError("INVALID_OPTIONS", "adminKey must be 16 to 255 visible ASCII characters", {
      details: { field: "adminKey" },
    });
  }
  return Object.freeze(resolved);
}

export function invalidOption(field: string, value: unknown, fix: string): GatewayError {
  return new GatewayError("INVALID_OPTIONS", `${field} is ${JSON.stringify(value)}; ${fix}`, {
    details: { field },
  });
}
