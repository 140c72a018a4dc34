import type { ModelReport } from "./bring-models.ts";
import type { TaskReport } from "./bring-tasks.ts";

export interface MigrationReport extends ModelReport {
  readonly dryRun: boolean;
  readonly tasks: TaskReport;
}

export function reportRows(report: MigrationReport): string[][] {
  const { configurations, usage, tasks, dryRun } = report;
  const row = (name: string, { brought, known }: { brought: number; known: number }): string[] => [
    name,
    `${brought}`,
    `${known}`,
  ];
  return [
    ["WHAT", dryRun ? "WOULD COME" : "CAME", "HERE ALREADY"],
    row("on-demand configurations", configurations),
    row("use of models", usage),
    row("tasks that succeeded", tasks.succeeded),
    row("tasks that failed", tasks.failed),
    row("tasks that wait", tasks.waiting),
    row("tasks under way", tasks.underWay),
    row("tasks that were lost", tasks.lost),
  ];
}

/** What is to be said beside the counts. */
export function reportTexts({ configurations, problems, tasks, dryRun }: MigrationReport): string[] {
  const { tooOld, resultsTooOld, resultsMissing, leftOut } = tasks;
  const texts = [...problems];
  if (configurations.renumbered > 0)
    texts.push(`${configurations.renumbered} configurations have another id, because theirs was taken here.`);
  if (tooOld > 0)
    texts.push(
      `${tooOld} tasks are older than retention.rowMs and do not come; a longer one, or "off", brings them.`,
    );
  if (resultsTooOld > 0)
    texts.push(`${resultsTooOld} tasks come without their result, which is older than retention.resultMs.`);
  if (resultsMissing > 0) texts.push(`${resultsMissing} results are not in its bucket any more.`);
  for (const { id, why } of leftOut) texts.push(`task ${id} must be submitted again: ${why}`);
  if (dryRun) texts.push("Nothing was written; the same without --dry-run does it.");
  return texts;
}
