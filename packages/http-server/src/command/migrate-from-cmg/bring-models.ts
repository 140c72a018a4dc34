import type { ForeignDatabase, ForeignRow } from "@modelgate/adapters-storage/postgres";
import { bringConfigurations, type Configuration, GatewayError, type RecordStore } from "@modelgate/core";
import { Refused } from "../../exchange.ts";
import { FieldReader } from "../../routes/deployments-fields.ts";
import { readDemands } from "../../routes/deployments-resources.ts";
import { instantOf, numberOf, textOf } from "./cmg-rows.ts";
import { saveUsage } from "./cmg-usage.ts";

const STANDARD_IDLE_TTL_SECONDS = 3_600;

/** What became of its tables of models. */
export interface ModelReport {
  readonly configurations: { brought: number; known: number; renumbered: number };
  readonly usage: { brought: number; known: number };
  readonly problems: readonly string[];
}

interface Context {
  readonly database: ForeignDatabase;
  readonly records: RecordStore;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/** On-demand configurations with their history, and when models were used last. */
export async function bringModels({ database, records, dryRun, signal }: Context): Promise<ModelReport> {
  const problems: string[] = [];
  const versions: Configuration[] = [];
  if (await database.has("ondemandmodelconfig")) {
    for await (const row of database.rows("ondemandmodelconfig", "id")) {
      const version = toConfiguration(row, problems);
      if (version !== undefined) versions.push(version);
    }
  }
  const { brought, known, renumbered } = await bringConfigurations(records, versions, { dryRun, signal });
  const usage = { brought: 0, known: 0 };
  if (await database.has("model")) {
    for await (const row of database.rows("model", "model_name")) {
      const model = textOf(row, "model_name");
      const lastUsedAtMs = instantOf(row, "last_used_at");
      if (model === undefined || lastUsedAtMs === undefined) continue;
      const kind = (textOf(row, "deployment_type") ?? "").toLowerCase();
      const seconds = numberOf(row, "idle_ttl");
      const isNew = await saveUsage(
        records,
        model,
        {
          ...{ kind, lastUsedAtMs, createdAtMs: instantOf(row, "created_at") ?? lastUsedAtMs },
          ...(seconds !== undefined && { idleTtlMs: seconds * 1000 }),
        },
        { dryRun, signal },
      );
      usage[isNew ? "brought" : "known"] += 1;
    }
  }
  return { configurations: { brought: brought.length, known, renumbered }, usage, problems };
}

function toConfiguration(row: ForeignRow, problems: string[]): Configuration | undefined {
  const id = numberOf(row, "id");
  const model = textOf(row, "model_name");
  const modelUri = textOf(row, "model_uri")?.trim();
  const createdAtMs = instantOf(row, "created_at");
  if (id === undefined || model === undefined || modelUri === undefined || createdAtMs === undefined) {
    problems.push(`configuration ${id ?? "without an id"} has no name, address or instant, and is left out`);
    return undefined;
  }
  const [trackingId, description] = [textOf(row, "tracking_id"), textOf(row, "description")];
  const demands = demandsOf(row, `configuration ${id} of ${model}`, problems);
  return {
    ...{ id, model, modelUri, createdAtMs, keepWarm: false, isEnabled: row["enabled"] === true },
    idleTtlMs: (numberOf(row, "idle_ttl") ?? STANDARD_IDLE_TTL_SECONDS) * 1000,
    updatedAtMs: instantOf(row, "updated_at") ?? createdAtMs,
    ...(trackingId !== undefined && { trackingId }),
    ...(description !== undefined && { description }),
    ...(demands !== undefined && { demands }),
  };
}

/** What it took without looking at it may be nothing that an engine could follow. */
function demandsOf(row: ForeignRow, name: string, problems: string[]): Configuration["demands"] {
  const spec = textOf(row, "deploy_spec_json");
  if (spec === undefined) return undefined;
  try {
    const fields = new FieldReader({ deploy: JSON.parse(spec) as unknown });
    const demands = readDemands(fields);
    fields.finish();
    return demands;
  } catch (error) {
    if (!(error instanceof Refused || error instanceof SyntaxError || GatewayError.is(error))) throw error;
    problems.push(`${name} comes without its resources, which cannot be understood`);
    return undefined;
  }
}
