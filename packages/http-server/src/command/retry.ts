import { connect } from "./client/connect.ts";
import { type TaskView, taskPath } from "./client/task-view.ts";
import type { Call } from "./command-spec.ts";
import { EXIT } from "./exit-codes.ts";
import { endWithReader, writeJson, writeOut } from "./output/out.ts";
import { printable } from "./output/printable.ts";

export async function retry({ arguments: [id = ""], options, settings }: Call): Promise<number> {
  endWithReader();
  const client = await connect(settings);
  const task = await client.json<TaskView>({ method: "POST", path: `${taskPath(id)}/retry` });
  await (options.has("json") ? writeJson(task) : writeOut(`${printable(task.uuid)}\n`));
  return EXIT.ok;
}
