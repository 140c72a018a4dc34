import { message, Refusal } from "../http/answer.ts";
import type { FormFile } from "../http/form.ts";
import { parseCsv } from "./csv-rows.ts";
import { readTarGz } from "./tar.ts";
import { readZip } from "./zip.ts";

export interface PackedFile {
  name: string;
  bytes: Buffer;
}

/** What a package may unpack to. */
const mostBytes = 512 * 1024 * 1024;

/**
 * The texts of a packed dataset: of the column `column` in its `.jsonl`, `.ndjson`, `.json` and `.csv` files, in the
 * order of their names.
 */
export function textsInPackage({ name, bytes }: FormFile, column: string): string[] {
  let files: PackedFile[];
  try {
    files = [...(name.endsWith(".zip") ? readZip(bytes, mostBytes) : readTarGz(bytes, mostBytes))];
  } catch {
    throw new Refusal(message(400, "Failed to extract the uploaded training dataset"));
  }
  const rows = files
    .filter(
      (file) => !/(?:^|\/)(?:\.[^/.]|__MACOSX\/|dataset_(?:info|dict)\.json$|state\.json$)/.test(file.name),
    )
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(rowsIn);
  if (rows.length === 0) {
    const kinds = ".jsonl, .ndjson, .json or .csv";
    throw new Refusal(message(400, `The dataset has no rows; put them in files ending in ${kinds}`));
  }
  return rows.map((row) => {
    const text = row[column];
    if (typeof text === "string") return text;
    throw new Refusal(message(400, `The dataset does not contain a '${column}' column in the split(s)`));
  });
}

function rowsIn({ name, bytes }: PackedFile): Record<string, unknown>[] {
  const source = bytes.toString("utf8").replace(/^\ufeff/, "");
  try {
    if (/\.csv$/i.test(name)) return parseCsv(source);
    if (/\.(?:jsonl|ndjson)$/i.test(name)) {
      return source
        .split("\n")
        .filter((line) => line.trim() !== "")
        .map((line) => rowOf(JSON.parse(line)));
    }
    if (/\.json$/i.test(name)) {
      const value = JSON.parse(source) as unknown;
      const list = Array.isArray(value) ? value : (rowOf(value)["data"] as unknown);
      return Array.isArray(list) ? list.map(rowOf) : [];
    }
  } catch {
    throw new Refusal(message(400, "A file of the dataset cannot be read"));
  }
  return [];
}

function rowOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new TypeError("A row must be an object.");
  return value as Record<string, unknown>;
}
