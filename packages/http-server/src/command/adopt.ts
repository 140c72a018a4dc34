import type { OthersServer } from "@modelgate/adapters-docker/deployer";
import { type AdoptOutcome, adoptServer, GatewayError, type RecordStore } from "@modelgate/core";
import { CommandError } from "./command-error.ts";
import type { Call } from "./command-spec.ts";
import { deployerOptions } from "./docker/engine-options.ts";
import { EXIT } from "./exit-codes.ts";
import { readUsage } from "./migrate-from-cmg/cmg-usage.ts";
import { durationText } from "./output/duration-text.ts";
import { endWithReader, tell, writeJson, writeOut } from "./output/out.ts";
import { formatTable } from "./output/table.ts";
import { whereToGive } from "./settings/names.ts";
import type { Settings } from "./settings/settings.ts";
import { withStores } from "./stores/with-stores.ts";

/** One server, and what became of it. */
interface Adopted {
  readonly model: string;
  readonly kind: "manual" | "auto";
  readonly container: string;
  /** Time to live, absolute or idle; absent: for ever. */
  readonly ttlMs?: number | undefined;
  readonly outcome: AdoptOutcome | "refused";
  readonly why?: string | undefined;
}

/** Takes over the servers that CogStack's gateway has deployed. */
export async function adopt({ arguments: models, options, settings }: Call): Promise<number> {
  endWithReader();
  const dryRun = options.has("dry-run");
  if (!settings["deployments.enabled"]) {
    throw new CommandError(
      EXIT.usage,
      `deployments are off, so that nobody would look after what is taken over; give ${whereToGive("deployments.enabled")}.`,
    );
  }
  const found = await findServers(settings, options.get("managed-by") ?? "cmg");
  const missing = models.filter((model) => !found.some((server) => server.model === model));
  const wanted = found.filter(({ model }) => models.length === 0 || models.includes(model));
  return await withStores(settings, async ({ records }, signal) => {
    const done: Adopted[] = [];
    for (const server of wanted) done.push(await adoptOne(records, server, { settings, dryRun, signal }));
    if (options.has("json")) await writeJson({ dryRun, servers: done, missing });
    else await show(done, missing, dryRun);
    const isWhole =
      missing.length === 0 && done.every(({ outcome }) => outcome === "adopted" || outcome === "known");
    return isWhole ? EXIT.ok : EXIT.failed;
  });
}

async function findServers(settings: Settings, managedBy: string): Promise<readonly OthersServer[]> {
  const { findOthersServers } = await import("@modelgate/adapters-docker/deployer");
  try {
    return await findOthersServers(deployerOptions(settings), {
      managedBy,
      project: settings["docker.project"],
    });
  } catch (error) {
    if (!GatewayError.is(error)) throw error;
    throw new CommandError(
      EXIT.failed,
      `${error.message}; look at ${whereToGive("docker.socket")} (${error.code}).`,
    );
  }
}

async function adoptOne(
  records: RecordStore,
  { id, serverId, name, memoryBytes, cpus, ...server }: OthersServer,
  {
    settings,
    dryRun,
    signal,
  }: { readonly settings: Settings; readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<Adopted> {
  const { model, kind, ttlSeconds, createdAtMs, modelUri } = server;
  const usage = await readUsage(records, model, { signal });
  const ttlMs = ttlOf(kind, ttlSeconds, settings);
  const about = { model, kind, container: name, ttlMs };
  try {
    const outcome = await adoptServer(
      records,
      {
        ...{ model, kind, modelUri, createdAtMs, server: { id, serverId, name } },
        ...(kind === "manual" ? { ttlMs } : { idleTtlMs: ttlMs, activeAtMs: usage?.lastUsedAtMs }),
        room: {
          memoryBytes: memoryBytes || settings["deployments.defaultRoom.memory"],
          cpus: cpus || settings["deployments.defaultRoom.cpus"],
          gpus: 0,
        },
      },
      { dryRun, signal },
    );
    return {
      ...about,
      outcome,
      ...(outcome === "conflict" && { why: "the model has another deployment here" }),
    };
  } catch (error) {
    if (!GatewayError.is(error, "INVALID_REQUEST")) throw error;
    return { ...about, outcome: "refused", why: error.message };
  }
}

/** Its gateway takes -1 for ever, and everything else below 1 for a time that is over. */
function ttlOf(kind: "manual" | "auto", seconds: number | undefined, settings: Settings): number | undefined {
  if (seconds === undefined) {
    const { "deployments.manual.ttlMs": manual, "deployments.auto.idleTtlMs": idle } = settings;
    if (kind === "auto") return idle;
    return manual === "never" ? undefined : manual;
  }
  return seconds === -1 ? undefined : Math.max(0, seconds) * 1000;
}

async function show(done: readonly Adopted[], missing: readonly string[], dryRun: boolean): Promise<void> {
  const words: Readonly<Record<Adopted["outcome"], string>> = {
    adopted: dryRun ? "would be adopted" : "adopted",
    known: "adopted before",
    conflict: "left alone",
    refused: "left alone",
  };
  const rows = done.map(({ model, kind, ttlMs, container, outcome, why }) => {
    const time = ttlMs === undefined ? "never" : durationText(ttlMs);
    const ends = ttlMs === undefined || kind === "manual" ? time : `idle for ${time}`;
    return [model, kind, ends, container, why === undefined ? words[outcome] : `${words[outcome]}: ${why}`];
  });
  if (rows.length === 0) tell("CogStack's gateway has deployed nothing here that could be taken over.");
  else await writeOut(formatTable([["MODEL", "KIND", "TTL", "CONTAINER", "WHAT"], ...rows]));
  for (const model of missing) tell(`CogStack's gateway has deployed no server of model ${model}.`);
  if (dryRun && rows.length > 0) tell("Nothing was written; the same without --dry-run does it.");
}
