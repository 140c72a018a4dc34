import { systemClock } from "../clock.ts";
import type { OperationOptions } from "../contracts/common.ts";
import type { RecordStore } from "../contracts/record-store.ts";
import type { Configuration } from "./api.ts";
import { enabledOf, withinBounds } from "./configurations-history.ts";
import { ConfigurationStore } from "./configurations-store.ts";
import { checkModelName, checkModelUri } from "./validate.ts";

export interface BringConfigurationsOptions extends OperationOptions {
  /** Only tells what would be done. */
  readonly dryRun?: boolean | undefined;
}

export interface BroughtConfigurations {
  readonly brought: readonly Configuration[];
  /** How many were here already, and stay as they are. */
  readonly known: number;
  /** How many have another id than they had, because another configuration here has theirs. */
  readonly renumbered: number;
}

/**
 * Takes configurations from another system with their ids, their instants and their history. What is here already is
 * left alone, whatever became of it since; where a model has an enabled one here, those that come are disabled. Rejects
 * `INVALID_REQUEST` before anything is written.
 */
export async function bringConfigurations(
  records: RecordStore,
  versions: readonly Configuration[],
  { dryRun = false, signal }: BringConfigurationsOptions = {},
): Promise<BroughtConfigurations> {
  const store = new ConfigurationStore(records, systemClock);
  for (const { model, modelUri } of versions) {
    checkModelName(model);
    checkModelUri(modelUri);
  }
  // Before anybody looks at which ids there are, so that nobody is given one of these meanwhile.
  if (!dryRun && versions.length > 0)
    await store.reserveIds(Math.max(...versions.map(({ id }) => id)), { signal });
  const here = (await store.readAll({ signal })).flat();
  const taken = new Set(here.map(({ id }) => id));
  const brought: Configuration[] = [];
  let known = 0;
  let renumbered = 0;
  for (const model of new Set(versions.map((version) => version.model))) {
    const given = versions.filter((version) => version.model === model).sort((a, b) => a.id - b.id);
    const before = here.filter((version) => version.model === model);
    const missing = given.filter((version) => !before.some((each) => isSame(each, version)));
    known += given.length - missing.length;
    const numbered: Configuration[] = [];
    for (const version of missing) {
      const isFree = !taken.has(version.id);
      if (!isFree) renumbered += 1;
      const id = isFree || dryRun ? version.id : await store.nextId({ signal });
      taken.add(id);
      numbered.push({ ...version, id });
    }
    if (numbered.length === 0) continue;
    brought.push(...numbered);
    if (dryRun) continue;
    await store.change(
      model,
      (history) => {
        const added = numbered.filter(({ id }) => !history.some((each) => each.id === id));
        if (added.length === 0) return history;
        const hasEnabled = enabledOf(history) !== undefined;
        const come = added.map((each) => ({ ...each, isEnabled: each.isEnabled && !hasEnabled }));
        return withinBounds([...history, ...come].sort((one, other) => one.id - other.id));
      },
      { signal },
    );
  }
  return { brought, known, renumbered };
}

/** A configuration that had to get another id is told by when it was made, and of what. */
function isSame(one: Configuration, other: Configuration): boolean {
  return one.createdAtMs === other.createdAtMs && (one.id === other.id || one.modelUri === other.modelUri);
}
