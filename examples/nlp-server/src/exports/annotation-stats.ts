import { toCsv } from "./csv.ts";
import { annotationsOf, codePointSlicer, isTruthy, type TrainerExport, textOf } from "./trainer-export.ts";

interface Count {
  annotations: number;
  wordings: Set<string>;
  ignored: number;
}

const header = ["concept", "anno_count", "anno_unique_counts", "anno_ignorance_counts"];

/** Counts for each concept its annotations, its different wordings, and the annotations that training would ignore. */
export function annotationStats({ projects }: TrainerExport): string {
  const counts = new Map<string, Count>();
  for (const document of projects.flatMap(({ documents }) => documents)) {
    const slice = codePointSlicer(textOf(document));
    for (const annotation of annotationsOf(document)) {
      const { cui, start, end, validated, deleted, killed, irrelevant } = annotation;
      const count = counts.get(cui) ?? { annotations: 0, wordings: new Set(), ignored: 0 };
      counts.set(cui, count);
      count.annotations += 1;
      count.wordings.add(slice(start, end).toLowerCase());
      const isIgnored =
        !isTruthy(validated ?? true) || isTruthy(deleted) || isTruthy(killed) || isTruthy(irrelevant);
      if (isIgnored) count.ignored += 1;
    }
  }
  const rows = [...counts].map(([cui, count]) => [
    cui,
    count.annotations,
    count.wordings.size,
    count.ignored,
  ]);
  return toCsv(header, rows);
}
