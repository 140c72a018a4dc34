import type { SweepObjectsReport } from "@modelgate/core";
import type { Call } from "../command-spec.ts";
import { EXIT } from "../exit-codes.ts";
import { createLog } from "../log.ts";
import { endWithReader, writeJson, writeOut } from "../output/out.ts";
import type { Settings } from "../settings/settings.ts";
import { awaitStores } from "../stores/await-stores.ts";
import type { Stores, UploadSweep } from "../stores/open-stores.ts";
import { withStores } from "../stores/with-stores.ts";

/** What one look after the stores did. */
interface Report {
  /** Tasks that it ended. */
  readonly ended: number;
  /** Tasks that went back to their lane. */
  readonly returned: number;
  /** Objects that were forgotten with what named them. */
  readonly forgotten: number;
  /** Absent where that is switched off. */
  readonly objects?: SweepObjectsReport | undefined;
  /** Uploads that nobody completes any more; absent where there are none. */
  readonly uploads?: UploadSweep | undefined;
}

/** Tasks that one transaction changes. */
const SWEEP_LIMIT = 500;

export async function reapOnce({ options, settings, warnings }: Call): Promise<number> {
  endWithReader();
  const { logLevel: level, jsonLogs: asJson } = settings;
  const log = createLog({
    ...{ level, asJson },
    fields: { role: "reaper" },
    write: (line) => process.stderr.write(line),
  });
  for (const warning of warnings) log.warn(warning);
  return await withStores(settings, async (stores, signal) => {
    await awaitStores(stores, { settings, log, signal });
    const report: Report = {
      ...(await sweepTasks(stores, settings, signal)),
      ...(await sweepStored(stores, settings, signal)),
    };
    await (options.has("json") ? writeJson(report) : writeOut(`${sentenceOf(report)}\n`));
    return EXIT.ok;
  });
}

async function sweepTasks(
  { ledger, objects, wakeups }: Stores,
  { retention }: Settings,
  signal: AbortSignal,
): Promise<Pick<Report, "ended" | "returned" | "forgotten">> {
  const report = { ended: 0, returned: 0, forgotten: 0 };
  for (let isMore = true; isMore; ) {
    // Which models have no server is known to whoever looks at servers all the time.
    const request = {
      limit: SWEEP_LIMIT,
      unserved: [],
      retention: retention === false ? undefined : retention,
    };
    const { ended, returned, unreferencedKeys, more } = await ledger.sweep(request, { signal });
    if (unreferencedKeys.length > 0) await objects.delete(unreferencedKeys, { signal });
    if (ended.length > 0)
      await wakeups?.publish(
        "ended",
        ended.map(({ id }) => id),
      );
    if (returned.length > 0) await wakeups?.publish("work", [...new Set(returned.map(({ model }) => model))]);
    report.ended += ended.length;
    report.returned += returned.length;
    report.forgotten += unreferencedKeys.length;
    isMore = more;
  }
  return report;
}

async function sweepStored(
  { ledger, objects, sweepUploads }: Stores,
  { objectSweepMs }: Settings,
  signal: AbortSignal,
): Promise<Pick<Report, "objects" | "uploads">> {
  if (objectSweepMs === false) return {};
  const { sweepObjects } = await import("@modelgate/core");
  return {
    objects: await sweepObjects({ ledger, objects, signal }),
    uploads: await sweepUploads?.({ signal }),
  };
}

function sentenceOf({ ended, returned, forgotten, objects }: Report): string {
  const tasks = `${ended} tasks were ended, ${returned} handed back, ${forgotten} objects forgotten with theirs`;
  if (objects === undefined) return `${tasks}.`;
  return `${tasks}; ${objects.deleted} of ${objects.examined} objects were named by no task and deleted.`;
}
