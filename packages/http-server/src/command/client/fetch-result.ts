import type { IncomingMessage } from "node:http";
import { CommandError } from "../command-error.ts";
import { EXIT } from "../exit-codes.ts";
import { streamOut } from "../output/out.ts";
import { printable } from "../output/printable.ts";
import { saveFile } from "../output/save-file.ts";
import type { GatewayClient } from "./gateway-client.ts";
import { taskPath } from "./task-view.ts";

export interface ResultRequest {
  readonly id: string;
  /** Where it is written; standard output when absent. */
  readonly file: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Writes the result of a task; resolves to the task's state. Throws `CommandError` when there is none. */
export async function fetchResult(
  client: GatewayClient,
  { id, file, signal }: ResultRequest,
): Promise<string> {
  const response = await client.open({ path: `${taskPath(id)}?download=true`, signal });
  const state = response.headers["x-task-status"];
  if (typeof state !== "string") {
    response.resume();
    throw new CommandError(
      EXIT.failed,
      `Task ${printable(id)} has no result. modelgate tasks ${printable(id)} shows how far it is.`,
    );
  }
  const body = unbroken(response);
  await (file === undefined ? streamOut(body) : saveFile(file, body));
  return state;
}

async function* unbroken(response: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of response) yield chunk as Buffer;
  } catch {
    throw new CommandError(
      EXIT.unreachable,
      "The connection broke off before the result was complete; call again.",
    );
  }
}
