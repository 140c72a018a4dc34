import type { RecordStore } from "../contracts/record-store.ts";
import { GatewayError } from "../errors.ts";

const KEY = "installation";

/**
 * The id by which an installation tells its servers from others on the same engine: made once, by whoever is first,
 * and the same for all gateways on one record store.
 */
export async function installationOf(
  records: RecordStore,
  newId: () => string,
  signal?: AbortSignal,
): Promise<string> {
  for (let tries = 0; tries < 10; tries += 1) {
    const record = await records.get(KEY, { signal });
    if (record !== undefined) return (record.value as { readonly id: string }).id;
    const made = await records.put(KEY, { v: 1, id: newId() }, null, { signal });
    if (made !== undefined) return (made.value as { readonly id: string }).id;
  }
  throw new GatewayError("STORE_UNAVAILABLE", "the installation's id could not be kept");
}
