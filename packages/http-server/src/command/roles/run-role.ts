import type { Call } from "../command-spec.ts";
import { EXIT } from "../exit-codes.ts";
import { createLog } from "../log.ts";
import { safeError } from "../safe-error.ts";
import { byAddress } from "../server-addresses.ts";
import { BROKER_NAMES, queueKind } from "../settings/brokers.ts";
import type { Settings } from "../settings/settings.ts";
import { exitCodeOf, startFailure } from "../start-failure.ts";
import { stopSignal } from "../stop-signal.ts";
import { isLocal } from "../stores/open-stores.ts";
import { Parts } from "./parts.ts";
import type { Role } from "./role.ts";
import { startRole } from "./start-role.ts";

/** Does what a role does, until a signal. Resolves to the exit code. */
export async function runRole(role: Role, { settings, warnings }: Call): Promise<number> {
  // Whoever read the output may be gone; that is no reason to end.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const log = createLog({
    level: settings.logLevel,
    asJson: settings.jsonLogs,
    fields: { role: role.name },
    write: (line) => process.stderr.write(line),
  });
  for (const warning of warnings) log.warn(warning);
  process.on("uncaughtException", (error) => {
    log.error("something failed in a way that nobody expected; the process ends", safeError(error));
    process.exit(EXIT.failed);
  });

  const stopped = stopSignal();
  const abort = new AbortController();
  void stopped.then(() => abort.abort());
  const parts = new Parts(log);
  try {
    const url = await startRole({ role, settings, log, parts, signal: abort.signal });
    process.stdout.write(`${greeting(role, url, settings)}\n`);
    log.info("stopping", { signal: await stopped, drainMs: settings.drainMs });
    return EXIT.ok;
  } catch (error) {
    if (abort.signal.aborted) {
      log.info("stopped before the start was done", { signal: await stopped });
      return EXIT.ok;
    }
    log.error(startFailure(error, role, settings));
    return exitCodeOf(error);
  } finally {
    await parts.stop();
  }
}

function greeting({ name, answers }: Role, url: string | undefined, settings: Settings): string {
  const known = byAddress(settings.servers).length;
  const count = known === 1 ? "1 server" : `${known} servers`;
  const docker = settings["docker.enabled"] ? " and those of Docker" : "";
  const kind = queueKind(settings);
  const queue = kind === undefined ? "" : `, queue in ${BROKER_NAMES[kind]}`;
  const about = `(${whereDataIs(settings)}${queue}, ${count}${docker})`;
  if (answers) return `modelgate is listening on ${url} ${about}`;
  return `modelgate ${name} is at work${url === undefined ? "" : `, listening on ${url}`} ${about}`;
}

function whereDataIs(settings: Settings): string {
  const { store, objects, dataDir } = settings;
  const elsewhere = [store === "postgres" ? "PostgreSQL" : undefined, objects === "s3" ? "S3" : undefined];
  const places = [isLocal(settings) ? dataDir : undefined, ...elsewhere].filter(
    (place) => place !== undefined,
  );
  return `data in ${places.join(" and ")}`;
}
