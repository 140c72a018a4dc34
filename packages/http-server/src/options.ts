import { GatewayError } from "@modelgate/core";

export interface HttpOptions {
  /** Where the API is mounted, such as `/gateway`. Default: at the root. */
  readonly basePath?: string | undefined;
  /** Bodies up to this size are read whole, larger ones streamed; give the gateway's own. Default 32,768. */
  readonly inlineBytes?: number | undefined;
  /** Largest request body. Default 4 GiB. */
  readonly maxBodyBytes?: number | undefined;
  /** Longest wait that `Prefer: wait=N` gets. Default 300,000. */
  readonly maxWaitMs?: number | undefined;
  /** How long `GET /models/?verbose=true` waits for what servers say of themselves. Default 2,000. */
  readonly infoTimeoutMs?: number | undefined;
  /** Told of every error that is not the caller's. It must not throw, and must not log the message of unknown errors. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

export type ResolvedHttpOptions = { readonly [Name in keyof HttpOptions]-?: NonNullable<HttpOptions[Name]> };

export function resolveHttpOptions(options: HttpOptions): ResolvedHttpOptions {
  const resolved: ResolvedHttpOptions = {
    basePath: options.basePath ?? "",
    inlineBytes: options.inlineBytes ?? 32_768,
    maxBodyBytes: options.maxBodyBytes ?? 4 * 1024 ** 3,
    maxWaitMs: options.maxWaitMs ?? 300_000,
    infoTimeoutMs: options.infoTimeoutMs ?? 2_000,
    onError: options.onError ?? (() => {}),
  };
  for (const field of ["inlineBytes", "maxBodyBytes", "maxWaitMs", "infoTimeoutMs"] as const) {
    if (!Number.isSafeInteger(resolved[field]) || resolved[field] < 0) {
      throw invalidOption(field, resolved[field], "give a whole number from 0");
    }
  }
  if (resolved.basePath !== "" && !/^(\/[\w.~-]+)+$/.test(resolved.basePath)) {
    throw invalidOption("basePath", resolved.basePath, 'give a path such as "/gateway"');
  }
  return Object.freeze(resolved);
}

export function invalidOption(field: string, value: unknown, fix: string): GatewayError {
  return new GatewayError("INVALID_OPTIONS", `${field} is ${JSON.stringify(value)}; ${fix}`, {
    details: { field },
  });
}
