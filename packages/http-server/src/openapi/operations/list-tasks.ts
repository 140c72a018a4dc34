import { TASK_STATES } from "@modelgate/core";
import { z } from "zod";
import { answersOf, bareRefusal, invalidAnswer, jsonAnswer } from "../answers.ts";
import type { Operation } from "../operation.ts";
import { countParameter, textParameter, timeParameter } from "../schemas/fields.ts";
import { taskList } from "../schemas/tasks.ts";

const taskListQuery = z.object({
  status: z.array(z.enum(TASK_STATES)).optional().meta({ description: "In one of these states." }),
  model: textParameter(256, "Of this model."),
  type: textParameter(256, "With this task's name."),
  owner: textParameter(256, "Of this owner."),
  created_from: timeParameter("Accepted at this time or later: ISO 8601, or milliseconds since 1970."),
  created_before: timeParameter("Accepted before this time."),
  limit: countParameter(1_000, { default: 100, description: "So many at most." }),
  cursor: textParameter(1_024, "Where to go on: the `next_cursor` of the page before."),
});

export function listTasksOperation(): Operation {
  return {
    method: "GET",
    path: "/tasks",
    id: "listTasks",
    tag: "tasks",
    summary: "Tasks, newest first",
    guard: "key",
    queryFields: taskListQuery,
    answers: answersOf(
      {},
      {
        200: jsonAnswer("One page.", taskList),
        403: bareRefusal("The key is missing, or another one."),
        422: invalidAnswer("A parameter is wrong; all of them at once."),
      },
    ),
    examples: [
      { summary: "What has failed", query: "status=failed&status=cancelled&limit=10", status: 200 },
      { summary: "All that there is", status: 200 },
      { summary: "Since the morning", query: "model=nlp&created_from=2026-11-20T06:00:00Z", status: 200 },
      { summary: "A state that is none", query: "status=done", status: 422 },
    ],
  };
}
