import type { TaskRecord } from "../../../contracts/task.ts";
import { isEnded, type MakeJudge } from "../replay.ts";

/** Answers to a read of a success that only a fault of the store explains. */
const EXCUSED = ["STORE_UNAVAILABLE", "unclear", "CLOSED"];

function endingOf({ state, error, result, finishedAtMs }: TaskRecord): string {
  const body = result?.isForgotten === true ? "forgotten" : (result?.key ?? result?.sizeBytes);
  return JSON.stringify([state, error?.code, body, finishedAtMs]);
}

/** A task ends once, with the right result, which can be read from then on. */
export const judgeEndings: MakeJudge = (report, facts) => {
  const answers = new Map<string, string>();
  const seen = new Map<string, { state: string; atMs: number }>();
  const objects = new Set<string>();
  const named = new Map<string, string>();
  const look = (id: string, state: TaskRecord["state"], askedAtMs: number, atMs: number): void => {
    const known = seen.get(id);
    if (known !== undefined && known.atMs <= askedAtMs && known.state !== state) {
      report("ending-changed", `a reader saw ${known.state} and later ${state}`, { id });
    }
    if (known === undefined && isEnded({ state })) seen.set(id, { state, atMs });
  };
  return {
    see(event, world, before) {
      switch (event.kind) {
        case "offered":
          answers.set(event.id, event.answer);
          break;
        case "object":
          if (event.change === "put") objects.add(event.key);
          else {
            objects.delete(event.key);
            const id = named.get(event.key);
            if (id !== undefined)
              report("result-after-state", "a result that its row names was deleted", { id });
          }
          break;
        case "row": {
          const { task } = event;
          const { id, result } = task;
          if (before !== undefined && isEnded(before)) {
            const forgets = result?.isForgotten === true && before.state === task.state;
            if (!forgets && endingOf(before) !== endingOf(task)) {
              report("ending-changed", `${endingOf(before)} became ${endingOf(task)}`, { id });
            }
            if (forgets && before.result?.key !== undefined) named.delete(before.result.key);
          } else if (isEnded(task) && result?.key !== undefined) {
            named.set(result.key, id);
            if (!objects.has(result.key))
              report("result-after-state", `${task.state} before its result was stored`, { id });
          }
          break;
        }
        case "seen":
          look(event.id, event.state, event.askedAtMs, event.atMs);
          break;
        case "read": {
          const { id, state, outcome, digest } = event;
          if (state !== "succeeded" || EXCUSED.includes(outcome)) break;
          const isForgotten =
            facts.retainsResultsMs !== undefined && world.rows.get(id)?.result?.isForgotten === true;
          if (outcome !== "ok") {
            if (!isForgotten)
              report("result-after-state", `the result of a success could not be read: ${outcome}`, { id });
          } else if (digest !== answers.get(id)) {
            report(
              "wrong-result",
              `the result is ${digest}, the server's answer to the payload ${answers.get(id)}`,
              { id },
            );
          }
          break;
        }
      }
    },
  };
};
