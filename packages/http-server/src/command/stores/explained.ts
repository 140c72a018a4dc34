import { GatewayError } from "@modelgate/core";
import { CommandError } from "../command-error.ts";
import { EXIT } from "../exit-codes.ts";
import type { Settings } from "../settings/settings.ts";
import { type Backend, storeFailure } from "./store-failure.ts";

/** What an adapter says of its options, with the names of the settings. */
export function explained<T>(backend: Backend, settings: Settings, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!GatewayError.is(error, "INVALID_OPTIONS")) throw error;
    throw new CommandError(EXIT.usage, `${storeFailure(error, backend, settings).text}.`);
  }
}
