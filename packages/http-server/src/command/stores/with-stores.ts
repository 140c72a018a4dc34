import { GatewayError } from "@modelgate/core";
import { CommandError } from "../command-error.ts";
import { EXIT } from "../exit-codes.ts";
import { tell } from "../output/out.ts";
import type { Settings } from "../settings/settings.ts";
import { openStores, type Stores } from "./open-stores.ts";
import { backendOf, storeFailure } from "./store-failure.ts";

/** Does something with the stores and closes them, also when it fails or is interrupted. Resolves to the exit code. */
export async function withStores(
  settings: Settings,
  work: (stores: Stores, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  const stores = await openStores(settings, { warn: (text) => tell(`Warning: ${text}`) });
  try {
    return await work(stores, interrupt.signal);
  } catch (error) {
    if (interrupt.signal.aborted) {
      tell("Stopped before the end; what was done stays done.");
      return EXIT.interrupted;
    }
    if (!GatewayError.is(error)) throw error;
    throw new CommandError(
      EXIT.failed,
      `${storeFailure(error, backendOf(error, settings), settings).text} (${error.code}).`,
    );
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    await stores.close();
  }
}
