import { connect } from "./client/connect.ts";
import { hasEnded, type TaskView, taskPath } from "./client/task-view.ts";
import type { Call } from "./command-spec.ts";
import { EXIT } from "./exit-codes.ts";
import { endWithReader, tell, writeJson, writeOut } from "./output/out.ts";
import { printable } from "./output/printable.ts";

export async function cancel({ arguments: [id = ""], options, settings }: Call): Promise<number> {
  endWithReader();
  const client = await connect(settings);
  const task = await client.json<TaskView>({ method: "DELETE", path: taskPath(id) });
  await (options.has("json") ? writeJson(task) : writeOut(`${printable(task.status)}\n`));
  if (task.status === "cancelled") return EXIT.ok;
  if (hasEnded(task)) {
    tell("The task had ended before, and stays as it is.");
    return EXIT.failed;
  }
  tell(`The task was asked to end. modelgate tasks ${id} shows when it has.`);
  return EXIT.ok;
}
