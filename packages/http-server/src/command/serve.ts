import type { HttpServer } from "../node/serve-http.ts";
import type { Call } from "./command-spec.ts";
import { EXIT } from "./exit-codes.ts";
import { createLog } from "./log.ts";
import { safeError } from "./safe-error.ts";
import { byAddress } from "./server-addresses.ts";
import type { Settings } from "./settings/settings.ts";
import { isOptionError, startFailure } from "./start-failure.ts";
import { Parts, startParts } from "./start-parts.ts";
import { stopSignal } from "./stop-signal.ts";

/** Runs a gateway with everything in one process, until a signal. Resolves to the exit code. */
export async function serve({ settings, warnings }: Call): Promise<number> {
  // Whoever read the output may be gone; that is no reason to end.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const log = createLog({
    level: settings.logLevel,
    asJson: settings.jsonLogs,
    write: (line) => process.stderr.write(line),
  });
  for (const warning of warnings) log.warn(warning);
  process.on("uncaughtException", (error) => {
    log.error("something failed in a way that nobody expected; the process ends", safeError(error));
    process.exit(EXIT.failed);
  });

  const stopped = stopSignal();
  const parts = new Parts(log);
  try {
    const server = await startParts(settings, log, parts);
    process.stdout.write(`${greeting(server, settings)}\n`);
    log.info("stopping", { signal: await stopped, drainMs: settings.drainMs });
    return EXIT.ok;
  } catch (error) {
    log.error(startFailure(error, settings));
    return isOptionError(error) ? EXIT.usage : EXIT.failed;
  } finally {
    await parts.stop();
  }
}

function greeting({ url }: HttpServer, { basePath = "", dataDir, servers }: Settings): string {
  const known = byAddress(servers).length;
  const count = known === 1 ? "1 server" : `${known} servers`;
  return `modelgate is listening on ${url}${basePath} (data in ${dataDir}, ${count})`;
}
