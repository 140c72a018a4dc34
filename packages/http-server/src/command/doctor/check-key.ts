import { adminKeyFile, readAdminKey } from "../admin-key.ts";
import { type GatewayClient, Refused } from "../client/gateway-client.ts";
import { CommandError } from "../command-error.ts";
import type { Settings } from "../settings/settings.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const CHECK = "admin key";

export interface KeyReport {
  readonly finding: Finding;
  readonly key?: string | undefined;
}

export async function checkKey({ adminKey, dataDir }: Settings): Promise<KeyReport> {
  if (adminKey !== undefined) return { finding: ok(CHECK, "given by the configuration"), key: adminKey };
  const file = adminKeyFile(dataDir);
  try {
    const kept = await readAdminKey(dataDir);
    if (kept === undefined) return { finding: ok(CHECK, "there is none yet; the first start makes it") };
    const { key, isOpen } = kept;
    return {
      finding: isOpen
        ? warn(CHECK, `others can read ${file}`, `chmod 600 ${file}`)
        : ok(CHECK, `kept in ${file}`),
      key,
    };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { finding: fail(CHECK, `${file} cannot be used`, error.message) };
  }
}

/** Whether the gateway that runs goes by the key that is found here. */
export async function checkKeyInUse(client: GatewayClient): Promise<Finding> {
  try {
    await client.json({ path: "/tasks/?limit=1" });
    return ok(CHECK, "the running gateway takes it");
  } catch (error) {
    if (error instanceof Refused && error.status === 403) {
      return fail(
        CHECK,
        "the running gateway does not take it",
        "give the key that it was started with, or start it again",
      );
    }
    return warn(CHECK, "the running gateway could not be asked about it", "look at its log");
  }
}
