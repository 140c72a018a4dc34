import type { JsonValue, OperationOptions, RecordStore } from "@modelgate/core";

/** What CogStack's gateway knew of a model's use, for whoever takes its server over later. */
export interface CmgUsage {
  /** `auto`, `manual` or `static`. */
  readonly kind: string;
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number;
  readonly idleTtlMs?: number | undefined;
}

const PREFIX = "from-cmg/models/";

/** Resolves whether it was not known yet. */
export async function saveUsage(
  records: RecordStore,
  model: string,
  usage: CmgUsage,
  { dryRun, signal }: OperationOptions & { readonly dryRun: boolean },
): Promise<boolean> {
  const before = await records.get(`${PREFIX}${model}`, { signal });
  const text = JSON.stringify({ v: 1, ...usage });
  if (
    before !== undefined &&
    JSON.stringify(sorted(before.value)) === JSON.stringify(sorted(JSON.parse(text)))
  )
    return false;
  if (!dryRun)
    await records.put(`${PREFIX}${model}`, JSON.parse(text) as JsonValue, before?.version ?? null, {
      signal,
    });
  return true;
}

export async function readUsage(
  records: RecordStore,
  model: string,
  options: OperationOptions,
): Promise<CmgUsage | undefined> {
  const record = await records.get(`${PREFIX}${model}`, options);
  return record?.value as CmgUsage | undefined;
}

/** A store may give the members of a value in another order. */
function sorted(value: unknown): unknown {
  return Object.entries(value as object).sort(([one], [other]) => (one < other ? -1 : 1));
}
