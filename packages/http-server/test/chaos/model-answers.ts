import { createHash } from "node:crypto";

/** The operations that a chaos run submits. */
export type ChaosOperation = "process" | "redact" | "train_supervised" | "evaluate";

export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * What a model server of a chaos run answers to a text. It depends on nothing but the text, and every byte of the text
 * bears on it, so that whoever sent one knows the only right answer. `process` gives much back, `redact` little.
 */
export function answerTo(operation: "process" | "redact", text: Uint8Array): Buffer {
  const head = Buffer.from(`${operation} ${digestOf(text)}\n`);
  return operation === "process" ? Buffer.concat([head, text]) : head;
}

/** Stands for the only right result of a training or evaluation, whose document holds times and ids. */
export const RUN_ANSWER = "the document of its own finished run";

/** The digest of what a reader got: of the bytes, or for a run of what its document says. */
export function digestOfResult(operation: ChaosOperation, taskId: string, bytes: Uint8Array): string {
  if (operation === "process" || operation === "redact") return digestOf(bytes);
  try {
    const document = JSON.parse(Buffer.from(bytes).toString("utf8")) as { run?: Record<string, unknown> };
    const { run } = document;
    if (run?.["run_name"] === taskId && run["status"] === "FINISHED") return RUN_ANSWER;
  } catch {
    // Whatever it is, it is not the document of a run.
  }
  return `not a finished run: ${digestOf(bytes)}`;
}
