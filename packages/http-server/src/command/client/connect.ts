import { readAdminKey } from "../admin-key.ts";
import { tell } from "../output/out.ts";
import type { Settings } from "../settings/settings.ts";
import { GatewayClient } from "./gateway-client.ts";

const OWN_HOSTS = ["127.0.0.1", "localhost", "[::1]"];

/** A client of the gateway that the settings name; `idleMs` is how long an answer may take. */
export async function connect(
  { url, adminKey, dataDir }: Settings,
  { idleMs }: { readonly idleMs?: number } = {},
): Promise<GatewayClient> {
  return new GatewayClient({ url, adminKey: adminKey ?? (await keptKey(url, dataDir)), idleMs });
}

/** The key of a data directory here is for a gateway here, and is never sent to another machine. */
async function keptKey(url: string, dataDir: string): Promise<string | undefined> {
  if (!OWN_HOSTS.includes(new URL(url).hostname)) return undefined;
  try {
    return (await readAdminKey(dataDir))?.key;
  } catch (error) {
    // Most calls need none.
    tell(`${(error as Error).message} Going on without it.`);
    return undefined;
  }
}
