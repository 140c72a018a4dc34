import { isEnded, type MakeJudge, type World } from "../replay.ts";

interface Execution {
  readonly server: string;
  readonly instance: string;
}

/** Outcomes of a call after which it is known what became of it. */
const CLEAR = /^(done|rejected|refused:\w+)$/;

/** What is not repeatable runs at most once, and is given up only when nobody can tell. */
export const judgeSingleRun: MakeJudge = (report) => {
  const executions = new Map<string, Execution[]>();
  const open = new Map<number, string>();
  /** Tasks of which some send was ambiguous, or whose holder was lost after it had announced one. */
  const ambiguous = new Set<string>();
  /** Who was told the answer of each task last, and when. */
  const told = new Map<string, { readonly by: string; readonly atMs: number }>();
  /** Whether trouble of the process that was told, or of a store, may have kept it from storing the answer. */
  const mayHaveLost = (id: string, world: World): boolean => {
    const answer = told.get(id);
    const process = answer === undefined ? undefined : world.processes.get(answer.by);
    return (
      answer !== undefined &&
      process !== undefined &&
      process.disturbedAtMs > answer.atMs - world.facts.leaseMs
    );
  };
  return {
    see(event, world, before) {
      switch (event.kind) {
        case "sent": {
          const { id, by, server, call } = event;
          open.set(call, id);
          const row = world.rows.get(id);
          if (row === undefined || row.repeatable) break;
          const holder = row.holder === undefined ? undefined : world.holders.get(row.holder);
          // Who sends without holding the task is judged elsewhere; its row may be another's by now.
          if (holder === by && (row.sentAtMs === undefined || row.server !== server)) {
            report(
              "sent-before-commit",
              `sent to ${server}; the ledger knows of ${row.server} at ${row.sentAtMs}`,
              { id },
            );
          }
          break;
        }
        case "answered":
          open.delete(event.call);
          if (!CLEAR.test(event.outcome)) ambiguous.add(event.id);
          else if (event.outcome === "done" || event.outcome === "rejected") told.set(event.id, event);
          break;
        case "begun": {
          const { id, server, instance } = event;
          const row = world.rows.get(id);
          const earlier = executions.get(id) ?? [];
          if (row?.repeatable === false) {
            const alive = earlier.find((one) => world.instances.get(one.server) === one.instance);
            if (alive !== undefined) {
              report(
                "ran-twice",
                `began on ${server} (${instance}), and before on ${alive.server} (${alive.instance})`,
                { id },
              );
            }
          }
          executions.set(id, [...earlier, { server, instance }]);
          break;
        }
        case "row": {
          const { task } = event;
          if (task.recovering || (task.sentAtMs !== undefined && task.holder === undefined && !isEnded(task)))
            ambiguous.add(task.id);
          const isNew = isEnded(task) && !(before !== undefined && isEnded(before));
          if (isNew && task.error?.code === "OUTCOME_UNKNOWN") {
            if (task.repeatable) report("unfounded-unknown", "it is repeatable", { id: task.id });
            else if (mayHaveLost(task.id, world)) break;
            else if (!ambiguous.has(task.id) && ![...open.values()].includes(task.id)) {
              report("unfounded-unknown", "every send of it had a clear answer", { id: task.id });
            }
          }
          break;
        }
      }
    },
  };
};
