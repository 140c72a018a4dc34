import { connect } from "../client/connect.ts";
import { type DeploymentView, modelPath } from "../client/deployment-view.ts";
import type { Call } from "../command-spec.ts";
import { EXIT } from "../exit-codes.ts";
import { endWithReader, tell, writeJson, writeOut } from "../output/out.ts";
import { printable } from "../output/printable.ts";
import { requireNumber } from "../require-option.ts";

const DEFAULT_TAIL = 100;
const MOST_LINES = 1000;

/** Writes what a deployed server wrote last, or the one that failed. */
export async function logs({ arguments: [model = ""], options, settings }: Call): Promise<number> {
  endWithReader();
  const tail = requireNumber(options, "tail", 1, MOST_LINES) ?? DEFAULT_TAIL;
  const client = await connect(settings);
  const { logs: lines = [] } = await client.json<DeploymentView>({
    path: `${modelPath(model)}/deployment?logs=${tail}`,
  });
  if (options.has("json")) {
    await writeJson({ name: model, logs: lines });
    return EXIT.ok;
  }
  for (const { text } of lines) await writeOut(`${printable(text)}\n`);
  if (lines.length === 0) tell("Its server wrote nothing, or nothing was kept.");
  return EXIT.ok;
}
