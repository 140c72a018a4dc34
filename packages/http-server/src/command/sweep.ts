import { stat } from "node:fs/promises";
import { join } from "node:path";
import { CommandError } from "./command-error.ts";
import type { Call } from "./command-spec.ts";
import { EXIT } from "./exit-codes.ts";
import { endWithReader, tell, writeJson } from "./output/out.ts";
import { sizeText } from "./output/size-text.ts";
import { requireNumber } from "./require-option.ts";
import type { Settings } from "./settings/settings.ts";
import { objectsDirectory } from "./stores/open-stores.ts";
import { withStores } from "./stores/with-stores.ts";

/** What a task that is being submitted has stored is not named yet. */
const HOUR_MS = 3_600_000;

export async function sweep({ options, settings }: Call): Promise<number> {
  endWithReader();
  const minAgeMs = requireNumber(options, "min-age-ms", HOUR_MS, Number.MAX_SAFE_INTEGER);
  const dryRun = options.has("dry-run");
  const asJson = options.has("json");
  await requireData(settings);
  const { sweepObjects } = await import("@modelgate/core");
  const keys: string[] = [];
  const onUnreferenced = ({ key }: { readonly key: string }): void => {
    if (asJson) keys.push(key);
    else process.stdout.write(`${key}\n`);
  };
  // A database without tables would say that no task names anything: it is not made here.
  return await withStores(
    { ...settings, "postgres.migrate": false },
    async ({ ledger, objects, sweepUploads }, signal) => {
      await ledger.stats({ signal });
      const report = await sweepObjects({
        ...{ ledger, objects, dryRun, signal },
        ...(minAgeMs !== undefined && { minAgeMs }),
        ...(dryRun && { onUnreferenced }),
      });
      const uploads = await sweepUploads?.({ dryRun, signal, ...(minAgeMs !== undefined && { minAgeMs }) });
      if (asJson) await writeJson({ ...report, ...(dryRun && { keys }), ...(uploads && { uploads }) });
      else {
        const { examined, unreferenced, unreferencedBytes, young, deleted } = report;
        const found = `${unreferenced} of ${examined} objects (${sizeText(unreferencedBytes)}) are named by no task`;
        const done = dryRun ? "nothing was deleted" : `${deleted} were deleted`;
        tell(`${found}, ${young} are too young to be judged; ${done}.`);
        if (uploads !== undefined)
          tell(`${uploads.leftOver} uploads were left unfinished; ${uploads.ended} were ended.`);
      }
      return EXIT.ok;
    },
  );
}

/** Opening what is not there would make it, and whoever mistyped its name would hear that all is well. */
async function requireData(settings: Settings): Promise<void> {
  const { dataDir, store, objects } = settings;
  const needed = [
    store === "sqlite" ? join(dataDir, "modelgate.db") : undefined,
    store !== "sqlite" && objects === "filesystem" ? objectsDirectory(settings) : undefined,
  ];
  for (const path of needed) {
    if (path === undefined || (await stat(path).catch(() => undefined)) !== undefined) continue;
    throw new CommandError(
      EXIT.failed,
      `${dataDir} holds no data of a gateway; name its directory with --data-dir.`,
    );
  }
}
