import type { Gateway, TaskRecord, TaskResult } from "@modelgate/core";
import { pythonList } from "../python-text.ts";
import { discard, readText } from "../read-stream.ts";

/** Of what a server wrote. */
const MAX_SHOWN = 2_048;
/** A training's document may hold many metrics. */
const MAX_DOCUMENT_BYTES = 1024 * 1024;
const MAX_LISTED = 100;

/**
 * Why a task failed, for whoever may read its result: beside the fixed sentence what the server said. It quotes what the
 * result quotes, and so is for answers only, never for a log, an event or a list.
 */
export async function errorMessage(gateway: Gateway, task: TaskRecord): Promise<string | null> {
  if (task.state !== "failed") return null;
  const sentence = task.error?.message ?? null;
  if (task.result === undefined || task.result.isForgotten === true) return sentence;
  try {
    return (await saidIn(await gateway.result(task.id))) ?? sentence;
  } catch {
    // That the result cannot be read just now is no reason not to tell of the task.
    return sentence;
  }
}

async function saidIn(result: TaskResult): Promise<string | undefined> {
  const { contentType = "", sizeBytes, status, bytes, body } = result;
  if (!isText(contentType) || sizeBytes > MAX_DOCUMENT_BYTES) {
    await discard(body);
    return undefined;
  }
  const text =
    bytes === undefined ? await readText(body, MAX_DOCUMENT_BYTES) : new TextDecoder().decode(bytes);
  if (text === undefined) return undefined;
  const errors = errorsOfRun(text);
  if (errors !== undefined) return errors.length === 0 ? undefined : shortened(pythonList(errors));
  const said = text.trim();
  if (said === "") return undefined;
  // A task that was brought over failed elsewhere, and its result is what was said there.
  if (status === undefined) return shortened(said);
  return `The server refused the task with status ${status}: ${shortened(said)}`;
}

function isText(contentType: string): boolean {
  return /^\s*(text\/|application\/([\w.-]+\+)?json\b)/i.test(contentType);
}

/** The errors of a training's document; `undefined` for any other text. */
function errorsOfRun(text: string): readonly string[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { run, error } = value as Record<string, unknown>;
  if (typeof run !== "object" || run === null) return undefined;
  return Array.isArray(error) ? error.filter((each) => typeof each === "string").slice(0, MAX_LISTED) : [];
}

function shortened(text: string): string {
  if (text.length <= MAX_SHOWN) return text;
  // Half of a character is none.
  return `${text.slice(0, MAX_SHOWN).replace(/[\ud800-\udbff]$/, "")}…`;
}
