import type { Gateway } from "@modelgate/core";
import { OpenWaits } from "./open-waits.ts";
import { type HttpOptions, type ResolvedHttpOptions, resolveHttpOptions } from "./options.ts";

/** What the routes work with. */
export interface HttpContext {
  readonly gateway: Gateway;
  readonly options: ResolvedHttpOptions;
  readonly waits: OpenWaits;
}

export function createContext(gateway: Gateway, options: HttpOptions): HttpContext {
  return { gateway, options: resolveHttpOptions(options), waits: new OpenWaits() };
}
