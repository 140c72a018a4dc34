import { z } from "zod";
import { answersOf, bareRefusal, emptyAnswer, invalidAnswer, jsonAnswer, refusal } from "../answers.ts";
import type { Operation } from "../operation.ts";
import { booleanParameter, priorityText } from "../schemas/fields.ts";
import { taskId } from "../schemas/names.ts";
import { serverAnswer, task, taskChange, taskInBrief, taskInDetail } from "../schemas/tasks.ts";

/** Where a request names a task, a test gives one that has ended. */
export const EXAMPLE_TASK = "0f8fad5b-d9cb-469f-a165-70867728950e";

const pathFields = z.object({ id: taskId });
const common = { tag: "tasks", pathFields } as const;
const path = { id: EXAMPLE_TASK };
const unknown = bareRefusal("There is no such task.");

const taskQuery = z.object({
  detail: booleanParameter("Tells all of the task."),
  download: booleanParameter("Gives the result as a file, once there is one."),
});

const retryQuery = z.object({ priority: priorityText.optional() });

const conditions = z.object({
  Range: z
    .string()
    .optional()
    .meta({ description: "A part of a result.", examples: ["bytes=0-99"] }),
  "If-Range": z.string().optional().meta({ description: "The tag of which a part is wanted." }),
  "If-None-Match": z.string().optional().meta({ description: "The tag that is known already." }),
});

const RESULT_HEADERS = {
  "X-Task-UUID": "The task's id. Only results have it.",
  "X-Task-Status": "How the task ended.",
  "X-Server-Status": "The server's own status.",
  ETag: "The tag of the result.",
  "Content-Disposition": "The name of the file.",
};

function readTask(): Operation {
  return {
    ...common,
    method: "GET",
    path: "/tasks/:id",
    id: "getTask",
    summary: "A task, or its result",
    description: "A task is told with its id and status, with all of it when `detail` is asked for.",
    queryFields: taskQuery,
    headerFields: conditions,
    answers: answersOf(
      { names: true },
      {
        200: {
          description: "The task; with `download`, its result in the server's media type.",
          content: {
            "application/json": z.union([taskInBrief, taskInDetail, serverAnswer]),
            "*/*": serverAnswer,
          },
          headers: RESULT_HEADERS,
        },
        206: {
          description: "The part of the result that was asked for.",
          // In the media type of the whole, of which a part is no document.
          content: {},
          headers: { ...RESULT_HEADERS, "Content-Range": "Which part." },
        },
        304: emptyAnswer("The result is the one that is known already.", { ETag: "Its tag." }),
        404: unknown,
        410: refusal("The result was forgotten on time."),
        416: refusal("The range lies outside of the result.", {
          headers: { "Content-Range": "How large the result is." },
        }),
        422: invalidAnswer("A parameter is wrong."),
      },
    ),
    examples: [
      { summary: "How far it is", path, status: 200 },
      { summary: "All of it", path, query: "detail=true", status: 200 },
      { summary: "Its result", path, query: "download=true", status: 200 },
      {
        summary: "A part of its result",
        path,
        query: "download=true",
        headers: { Range: "bytes=0-4" },
        status: 206,
      },
      { summary: "One that is not there", path: { id: "no-such-task" }, status: 404 },
      { summary: "A parameter that is wrong", path, query: "detail=perhaps", status: 422 },
    ],
  };
}

function changeTask(): Operation {
  return {
    ...common,
    method: "PATCH",
    path: "/tasks/:id",
    id: "changeTask",
    summary: "Changes how urgent a waiting task is",
    description: "One that has begun or ended stays as it is.",
    body: { isRequired: true, content: { "application/json": taskChange } },
    answers: answersOf(
      { names: true, writes: true },
      {
        200: jsonAnswer("The task as it is now.", task),
        404: unknown,
        413: refusal("The body is larger than 16 KiB."),
        422: invalidAnswer("The body is not such a change."),
      },
    ),
    examples: [
      {
        summary: "More urgent",
        path,
        body: { type: "application/json", value: { priority: 9 } },
        status: 200,
      },
      {
        summary: "A priority that is none",
        path,
        body: { type: "application/json", value: { priority: 11 } },
        status: 422,
      },
    ],
  };
}

function endings(): readonly Operation[] {
  return [
    {
      ...common,
      method: "DELETE",
      path: "/tasks/:id",
      id: "cancelTask",
      summary: "Asks for the end of a task",
      description:
        "One that waits ends at once; one that runs is asked to end; one that has ended stays as it is.",
      answers: answersOf(
        { names: true, writes: true },
        { 200: jsonAnswer("How the task is.", taskInBrief), 404: unknown },
      ),
      examples: [
        { summary: "One that has ended", path, status: 200 },
        { summary: "One that is not there", path: { id: "no-such-task" }, status: 404 },
      ],
    },
    {
      ...common,
      method: "POST",
      path: "/tasks/:id/retry",
      id: "retryTask",
      summary: "Makes a new task like one that has ended",
      description: "Of the same model, task, query, content type and body.",
      queryFields: retryQuery,
      answers: answersOf(
        { names: true, writes: true },
        {
          200: jsonAnswer("The new task.", taskInBrief),
          404: unknown,
          409: refusal("The task has not ended."),
          410: refusal("The payload was forgotten on time."),
          422: invalidAnswer("The priority is none."),
          429: refusal("Too much waits already.", { comesAgain: true }),
          503: refusal("The model is not known any more."),
        },
      ),
      examples: [
        { summary: "Once more", path, query: "priority=7", status: 200 },
        { summary: "A priority that is none", path, query: "priority=urgent", status: 422 },
      ],
    },
  ];
}

export function taskOperations(): readonly Operation[] {
  return [readTask(), changeTask(), ...endings()];
}
