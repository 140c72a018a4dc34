import { connect } from "./client/connect.ts";
import { fetchResult } from "./client/fetch-result.ts";
import { type GatewayClient, Unreachable } from "./client/gateway-client.ts";
import type { TaskView } from "./client/task-view.ts";
import { CommandError } from "./command-error.ts";
import type { Call, Options } from "./command-spec.ts";
import { EXIT } from "./exit-codes.ts";
import { endWithReader, tell, writeJson, writeOut } from "./output/out.ts";
import { printable } from "./output/printable.ts";
import { requireGiven, requireNumber, requirePairs } from "./require-option.ts";
import { payloadOf } from "./submit/payload.ts";
import { createProgress } from "./submit/progress.ts";
import { watchTask } from "./submit/watch-task.ts";
import { UsageError } from "./usage-error.ts";

export async function submit({ arguments: [file], options, settings }: Call): Promise<number> {
  endWithReader();
  if (options.has("output") && !options.has("watch")) throw new UsageError("--output goes with --watch.");
  const path = pathOf(options);
  const headers = headersOf(options);
  const { contentType, body } = await payloadOf(requireGiven(options, "task"), file, options);
  const client = await connect(settings);
  const { uuid, status } = await client
    .json<TaskView>({ method: "POST", path, headers: { ...headers, "content-type": contentType }, body })
    .catch(throwUnclear);
  const id = printable(uuid);
  if (options.has("watch")) return watch(client, id, options);
  await (options.has("json") ? writeJson({ uuid, status }) : writeOut(`${id}\n`));
  return EXIT.ok;
}

function pathOf(options: Options): string {
  const [model, task] = [requireGiven(options, "model"), requireGiven(options, "task")].map(
    encodeURIComponent,
  );
  const query = requirePairs(options, "query").map((pair) => pair.map(encodeURIComponent).join("="));
  return `/models/${model}/tasks/${task}${query.length === 0 ? "" : `?${query.join("&")}`}`;
}

function headersOf(options: Options): Record<string, string> {
  const priority = requireNumber(options, "priority", 0, 10);
  const key = options.get("idempotency-key");
  if (key !== undefined && !/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw new UsageError("--idempotency-key takes 1 to 255 visible ASCII characters.");
  }
  return {
    ...(priority !== undefined && { "x-modelgate-priority": String(priority) }),
    ...(key !== undefined && { "idempotency-key": key }),
  };
}

function throwUnclear(error: unknown): never {
  if (!(error instanceof Unreachable) || !error.mayHaveArrived) throw error;
  throw new CommandError(
    EXIT.unreachable,
    `${error.message} The task may have been accepted all the same; with --idempotency-key it is harmless to submit it again.`,
  );
}

async function watch(client: GatewayClient, id: string, options: Options): Promise<number> {
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once("SIGINT", onSignal);
  const { signal } = interrupt;
  const progress = createProgress(id, options.has("json"));
  try {
    const task = await watchTask(client, id, { signal, onLook: (seen) => progress.look(seen) });
    progress.end();
    if (task.status === "succeeded") {
      await fetchResult(client, { id, file: options.get("output"), signal });
      return EXIT.ok;
    }
    tell(endingOf(id, task));
    return EXIT.failed;
  } catch (error) {
    progress.end();
    const where = `modelgate tasks ${id} shows how far it is, modelgate result ${id} what it brought.`;
    if (signal.aborted) {
      tell(`The task goes on. ${where}`);
      return EXIT.interrupted;
    }
    if (error instanceof Unreachable)
      throw new CommandError(EXIT.unreachable, `${error.message} The task is kept. ${where}`);
    throw error;
  } finally {
    process.off("SIGINT", onSignal);
  }
}

function endingOf(id: string, { status, error_message }: TaskView): string {
  if (status === "cancelled") return `Task ${id} was cancelled.`;
  const why = error_message ? `: ${printable(withoutQuote(error_message))}` : ".";
  return `Task ${id} failed${why} modelgate result ${id} shows what the server answered, if it did.`;
}

/** What the server said may quote the note, and what is printed here is often kept in a log. */
function withoutQuote(message: string): string {
  const refused = /^The server refused the task with status \d+(?=:)/.exec(message)?.[0];
  if (refused !== undefined) return `${refused}.`;
  return message.startsWith("[") ? "Its run failed." : message;
}
