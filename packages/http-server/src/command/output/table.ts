import { printable } from "./printable.ts";

/** Rows below each other, every column as wide as its widest cell. */
export function formatTable(rows: readonly (readonly string[])[], least: readonly number[] = []): string {
  const shown = rows.map((row) => row.map(printable));
  const widths = columnWidths(shown, least);
  return shown
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

export function columnWidths(rows: readonly (readonly string[])[], least: readonly number[] = []): number[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  return Array.from({ length: columns }, (_, at) =>
    Math.max(least[at] ?? 0, ...rows.map((row) => (row[at] ?? "").length)),
  );
}
