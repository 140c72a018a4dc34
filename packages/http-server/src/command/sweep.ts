import { stat } from "node:fs/promises";
import { join } from "node:path";
import { GatewayError } from "@modelgate/core";
import { CommandError } from "./command-error.ts";
import type { Call } from "./command-spec.ts";
import { EXIT } from "./exit-codes.ts";
import { endWithReader, tell, writeJson } from "./output/out.ts";
import { sizeText } from "./output/size-text.ts";
import { requireNumber } from "./require-option.ts";

/** What a task that is being submitted has stored is not named yet. */
const HOUR_MS = 3_600_000;

export async function sweep({ options, settings: { dataDir } }: Call): Promise<number> {
  endWithReader();
  const minAgeMs = requireNumber(options, "min-age-ms", HOUR_MS, Number.MAX_SAFE_INTEGER);
  const dryRun = options.has("dry-run");
  const asJson = options.has("json");
  // Opening it would make one.
  if ((await stat(join(dataDir, "modelgate.db")).catch(() => undefined)) === undefined) {
    throw new CommandError(
      EXIT.failed,
      `${dataDir} holds no data of a gateway; name its directory with --data-dir.`,
    );
  }
  const [{ sweepObjects }, { sqliteStore }, { filesystemObjectStore }] = await Promise.all([
    import("@modelgate/core"),
    import("@modelgate/adapters-storage/sqlite"),
    import("@modelgate/adapters-storage/filesystem"),
  ]);
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once("SIGINT", onSignal);
  const store = sqliteStore({ directory: dataDir });
  const objects = filesystemObjectStore({ directory: join(dataDir, "objects") });
  const keys: string[] = [];
  const onUnreferenced = ({ key }: { readonly key: string }): void => {
    if (asJson) keys.push(key);
    else process.stdout.write(`${key}\n`);
  };
  try {
    const report = await sweepObjects({
      ledger: store.ledger,
      objects,
      dryRun,
      signal: interrupt.signal,
      ...(minAgeMs !== undefined && { minAgeMs }),
      ...(dryRun && { onUnreferenced }),
    });
    if (asJson) await writeJson(dryRun ? { ...report, keys } : report);
    else {
      const { examined, unreferenced, unreferencedBytes, young, deleted } = report;
      const found = `${unreferenced} of ${examined} objects (${sizeText(unreferencedBytes)}) are named by no task`;
      const done = dryRun ? "nothing was deleted" : `${deleted} were deleted`;
      tell(`${found}, ${young} are too young to be judged; ${done}.`);
    }
    return EXIT.ok;
  } catch (error) {
    if (interrupt.signal.aborted) {
      tell("Stopped before the end; what was deleted was named by no task.");
      return EXIT.interrupted;
    }
    if (GatewayError.is(error)) throw new CommandError(EXIT.failed, `${error.message} (${error.code}).`);
    throw error;
  } finally {
    process.off("SIGINT", onSignal);
    await Promise.all([store.close(), objects.close()]);
  }
}
