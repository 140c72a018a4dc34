import { GatewayError, type Tracking } from "@modelgate/core";
import { CommandError } from "./command-error.ts";
import { EXIT } from "./exit-codes.ts";
import { KEYS, whereToGive } from "./settings/names.ts";
import type { Settings } from "./settings/settings.ts";

/** The tracker that the settings name; `undefined` without one. Nothing is asked of it yet. Throws `CommandError`. */
export async function openTracking(settings: Settings): Promise<Tracking | undefined> {
  const { "mlflow.url": given } = settings;
  if (given === undefined) return undefined;
  const { mlflowTracking } = await import("@modelgate/adapters-mlflow");
  // Where MLflow's own clients are told of it, the user and the password may be in the address.
  const url = new URL(given);
  const [user, password] = [url.username, url.password].map((text) => decodeURIComponent(text) || undefined);
  url.username = "";
  url.password = "";
  try {
    return namingSettings(
      mlflowTracking({
        url: url.href,
        publicUrl: settings["mlflow.publicUrl"],
        ...credentialsOf(settings, user, password),
        timeoutMs: settings["mlflow.timeoutMs"],
        cacheMs: settings["mlflow.cacheMs"],
      }),
    );
  } catch (error) {
    if (!GatewayError.is(error, "INVALID_OPTIONS")) throw error;
    throw new CommandError(EXIT.usage, `${error.message}; look at ${whereOf(error)}.`);
  }
}

function credentialsOf(settings: Settings, user: string | undefined, password: string | undefined) {
  const { "mlflow.username": username, "mlflow.token": token } = settings;
  if (token !== undefined) return { token };
  if (username !== undefined) return { username, password: settings["mlflow.password"] };
  return user === undefined ? {} : { username: user, password: password ?? "" };
}

/** The same tracker; while it cannot be asked, its errors name the setting to look at. */
function namingSettings(tracking: Tracking): Tracking {
  const named = async <T>(asked: Promise<T>): Promise<T> => {
    try {
      return await asked;
    } catch (error) {
      if (!GatewayError.is(error, "TRACKING_UNAVAILABLE")) throw error;
      throw new GatewayError(error.code, `${error.message} (${whereOf(error)})`, { details: error.details });
    }
  };
  return {
    capabilities: tracking.capabilities,
    resolve: (trackingId, options) => named(tracking.resolve(trackingId, options)),
    find: (uri, options) => named(tracking.find(uri, options)),
    describe: (uri, options) => named(tracking.describe(uri, options)),
    run: (runId, options) => named(tracking.run(runId, options)),
    findRuns: (filter, options) => named(tracking.findRuns(filter, options)),
    close: () => tracking.close(),
  };
}

function whereOf(error: GatewayError): string {
  const key = KEYS.get(`mlflow.${String(error.details["field"])}`);
  return key === undefined ? whereToGive("mlflow.url") : whereToGive(key.name);
}
