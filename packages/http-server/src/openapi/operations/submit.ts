import { z } from "zod";
import { readIdempotencyKey } from "../../idempotency-key.ts";
import { answersOf, invalidAnswer, refusal } from "../answers.ts";
import type { Answer, Answers, ApiFacts, Content, Operation } from "../operation.ts";
import { problem, taskEnding, taskEndingProblem } from "../schemas/errors.ts";
import { anything, priorityText } from "../schemas/fields.ts";
import { modelName } from "../schemas/names.ts";
import { serverAnswer, submitted, taskInBrief } from "../schemas/tasks.ts";

const submitQuery = z.object({ priority: priorityText.optional() });

const submitHeaders = z.object({
  Prefer: z
    .string()
    .optional()
    .meta({ description: "`wait=N` waits up to N seconds for the ending.", examples: ["wait=30"] }),
  "Idempotency-Key": z
    .string()
    .refine((text) => !readIdempotencyKey(text).isBad)
    .optional()
    .meta({
      description:
        "1 to 255 visible ASCII characters, as they are or in quotes: makes it safe to send it again.",
      minLength: 1,
    }),
  "X-Modelgate-Priority": priorityText.optional(),
});

/** What a task that was waited for came to, when no answer of a server tells it. */
function endingAnswer(description: string): Answer {
  const either = z.union([taskEnding, problem, serverAnswer]);
  const problems = z.union([taskEndingProblem, problem, serverAnswer]);
  return {
    description,
    content: { "application/json": either, "application/problem+json": problems, "*/*": serverAnswer },
    headers: OF_SERVERS,
  };
}

function tableOf({ tasks }: ApiFacts): string {
  const rows = [...tasks.values()].map(
    ({ name, contentType }) => `- \`${name}\`: ${contentType ?? "no body"}`,
  );
  return rows.join("\n");
}

const FORM = "multipart/form-data";

function bodiesOf({ tasks }: ApiFacts): Content {
  const kinds: Record<string, z.ZodType> = {
    "text/plain": z.string().meta({ description: "Any text, of any task; it is not looked at." }),
    "application/json": anything("One JSON value, of tasks that expect it, and of `info`."),
    "application/x-ndjson": z
      .string()
      .meta({ description: "One JSON value on each line.", examples: ['{"a":1}\n'] }),
    [FORM]: z.looseObject({}).meta({ description: "The files and fields that the task takes." }),
  };
  const expected = new Set([...tasks.values()].map(({ contentType = "application/json" }) => contentType));
  const taken = Object.entries(kinds).filter(([type]) => type === "text/plain" || expected.has(type));
  return Object.fromEntries(taken);
}

export function submitOperation(facts: ApiFacts): Operation {
  const names = [...facts.tasks.keys()] as [string, ...string[]];
  const path = { model: "nlp", task: "process" };
  const note = { type: "text/plain", value: "Dr. Keller saw Mr. Smith in Berlin." };
  return {
    method: "POST",
    path: "/models/:model/tasks/:task",
    id: "submitTask",
    tag: "tasks",
    summary: "Submits a task",
    description: `Body, content type and query reach the model server byte for byte, but for \`priority\`. Each task expects a type of body; all take \`text/plain\`:\n\n${tableOf(facts)}`,
    pathFields: z.object({
      model: modelName,
      task: z.enum(names).meta({ description: "The task's name." }),
    }),
    queryFields: submitQuery,
    headerFields: submitHeaders,
    body: { isRequired: false, content: bodiesOf(facts) },
    answers: submitAnswers(),
    examples: [
      { summary: "A note", path, body: note, status: 200 },
      { summary: "An urgent one", path, query: "priority=10", body: note, status: 200 },
      { summary: "Its result at once", path, headers: { Prefer: "wait=30" }, body: note, status: 200 },
      { summary: "A model that nobody knows", path: { ...path, model: "none" }, body: note, status: 503 },
      { summary: "A priority that is none", path, query: "priority=11", body: note, status: 422 },
    ],
  };
}

function submitAnswers(): Answers {
  const own = answersOf({ names: true, writes: true }, refusals);
  const eithers = Object.entries(own).map(([status, answer]) => [status, orServers(answer)]);
  return {
    200: {
      description: "The task is durable. With `Prefer: wait`, the result in the server's media type.",
      content: { "application/json": z.union([submitted, serverAnswer]), "*/*": serverAnswer },
      headers: { "Preference-Applied": "With `Prefer: wait`: what was granted.", ...OF_SERVERS },
    },
    202: {
      description: "With `Prefer: wait`: the task has not ended, or its ending cannot be read now.",
      content: { "application/json": taskInBrief },
      headers: { "Preference-Applied": "What was granted.", Location: "The address of the task." },
    },
    ...(Object.fromEntries(eithers) as Answers),
    409: endingAnswer(
      "The task was cancelled, or the first request with this idempotency key is still being received.",
    ),
    410: endingAnswer("The task succeeded, and its result was forgotten."),
    502: endingAnswer("The task failed on this side of the server."),
    "4XX": serversOwn,
    "5XX": serversOwn,
  };
}

const refusals: Answers = {
  400: refusal("The content type is not the task's, or the form is malformed."),
  404: refusal("There is no such task."),
  413: refusal("The body is too large."),
  415: refusal("The body is packed."),
  422: invalidAnswer("A field, the body's JSON, a name in a form or the idempotency key is wrong."),
  429: refusal("Too much waits already.", { comesAgain: true }),
  503: refusal("The model is not known."),
  504: refusal("The time limit was reached."),
};

const OF_SERVERS = {
  "X-Task-UUID": "The task's id. Only what a task came to has it.",
  "X-Task-Status": "How the task ended.",
};

const serversOwn: Answer = {
  description: "With `Prefer: wait`: the server's own answer to a task that failed.",
  content: { "*/*": serverAnswer },
  headers: OF_SERVERS,
};

/** With `Prefer: wait`, a failed task is answered as the server answered it, with whatever status. */
function orServers(answer: Answer): Answer {
  const content = Object.entries(answer.content ?? {}).map(([type, schema]) => [
    type,
    z.union([schema, serverAnswer]),
  ]);
  return { ...answer, content: { ...Object.fromEntries(content), "*/*": serverAnswer } };
}
