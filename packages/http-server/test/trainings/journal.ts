import { existsSync, readFileSync } from "node:fs";

/** What a model server wrote down of a training: that it began, before anybody was told, and how it really ended. */
export interface JournalLine {
  readonly pid: number;
  readonly tracking_id: string;
  /** The run of the 202. */
  readonly run_id: string;
  readonly event: "begun" | "ended";
  readonly status?: "FINISHED" | "FAILED" | "KILLED";
}

/** The account of all servers that wrote to this file, over all their processes. */
export function readJournal(file: string): readonly JournalLine[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  // A process that is killed may leave half a line.
  return lines.flatMap((line) => (line.endsWith("}") ? [JSON.parse(line) as JournalLine] : []));
}
