import { z } from "zod";
import type { Answer as DescribedAnswer, Operation } from "../../src/openapi/operation.ts";
import { serverAnswer } from "../../src/openapi/schemas/tasks.ts";
import type { Answer } from "../support/http-client.ts";

/** What is wrong with an answer, held against what the document says of its operation; `undefined` when nothing is. */
export function flawOf(operation: Operation, answer: Answer): string | undefined {
  const { status, headers, text } = answer;
  const described = describedAnswer(operation, status);
  if (described === undefined) return `status ${status} is not in the document: ${text}`;
  const type = headers["content-type"]?.split(";")[0];
  const { content } = described;
  if (content === undefined) return text === "" ? undefined : `there is a body: ${text}`;
  if (Object.keys(content).length === 0) return undefined;
  const schema = content[type ?? ""] ?? content["*/*"];
  if (schema === undefined) return `the type ${type} is not in the document`;
  const isServers = headers["x-task-uuid"] !== undefined;
  const value: unknown = /json$/.test(type ?? "") ? JSON.parse(text) : text;
  const judged = (isServers ? schema : withoutServers(schema)).safeParse(value);
  return judged.success ? undefined : `${text}: ${z.prettifyError(judged.error)}`;
}

function describedAnswer({ answers }: Operation, status: number): DescribedAnswer | undefined {
  return answers[status] ?? answers[`${Math.floor(status / 100)}XX`] ?? answers["default"];
}

/** What comes without the header by which a server's answer is told is the gateway's own, of which all is said. */
function withoutServers(schema: z.ZodType): z.ZodType {
  if (schema === serverAnswer) return z.never();
  if (!(schema instanceof z.ZodUnion)) return schema;
  const options = schema.options as readonly z.ZodType[];
  return z.union(options.map(withoutServers) as [z.ZodType, ...z.ZodType[]]);
}
