import { connect } from "./client/connect.ts";
import type { Call } from "./command-spec.ts";
import { EXIT } from "./exit-codes.ts";
import { endWithReader, tell, writeJson, writeOut } from "./output/out.ts";
import { formatTable } from "./output/table.ts";

interface ModelView {
  readonly name: string;
  readonly is_running: boolean;
  readonly deployment_type?: string;
  readonly model_type?: string;
  readonly description?: string;
}

interface ModelList {
  readonly running: readonly ModelView[];
  readonly on_demand: readonly ModelView[];
}

export async function models({ options, settings }: Call): Promise<number> {
  endWithReader();
  const isVerbose = options.has("verbose");
  const client = await connect(settings);
  const list = await client.json<ModelList>({ path: `/models/${isVerbose ? "?verbose=true" : ""}` });
  if (options.has("json")) {
    await writeJson(list);
    return EXIT.ok;
  }
  const rows = [...list.running, ...list.on_demand].map((model) => rowOf(model, isVerbose));
  if (rows.length === 0) tell("No model is running. Name servers with modelgate serve --server NAME=URL.");
  else
    await writeOut(
      formatTable([
        isVerbose ? ["MODEL", "STATE", "KIND", "TYPE", "DESCRIPTION"] : ["MODEL", "STATE"],
        ...rows,
      ]),
    );
  return EXIT.ok;
}

function rowOf(
  { name, is_running, deployment_type, model_type, description }: ModelView,
  isVerbose: boolean,
): string[] {
  const row = [name, is_running ? "running" : "on demand"];
  return isVerbose ? [...row, deployment_type ?? "-", model_type ?? "-", description ?? "-"] : row;
}
