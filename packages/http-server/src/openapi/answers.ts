import type { z } from "zod";
import type { Answer, Answers, Content } from "./operation.ts";
import { bareProblem, invalid, problem } from "./schemas/errors.ts";

const RETRY_AFTER = { "Retry-After": "The seconds after which it is worth a try." };

export function jsonAnswer(description: string, schema: z.ZodType, headers?: Answer["headers"]): Answer {
  return { description, content: { "application/json": schema }, headers };
}

export function emptyAnswer(description: string, headers?: Answer["headers"]): Answer {
  return { description, headers };
}

interface RefusalOptions {
  readonly schema?: z.ZodType | undefined;
  /** Where it differs for those who accept `application/problem+json`. */
  readonly problemSchema?: z.ZodType | undefined;
  readonly headers?: Answer["headers"];
  readonly comesAgain?: boolean | undefined;
}

/** An error in both of its forms. */
export function refusal(description: string, options: RefusalOptions = {}): Answer {
  const { schema = problem, problemSchema = schema, headers, comesAgain = false } = options;
  return {
    description,
    content: { "application/json": schema, "application/problem+json": problemSchema },
    headers: { ...headers, ...(comesAgain && RETRY_AFTER) },
  };
}

/** One that callers compare as a whole. */
export function bareRefusal(description: string): Answer {
  return refusal(description, { schema: bareProblem, problemSchema: problem });
}

/** A 422: what is wrong with a request, field by field. */
export function invalidAnswer(description: string): Answer {
  return refusal(description, { schema: invalid });
}

/** What any request can be answered with, whatever it asks for. */
const anyRequest: Answers = {
  408: refusal("The request does not come to its end in time."),
  414: refusal("Path and query are too long."),
  417: refusal("Something but `100-continue` is expected."),
  422: invalidAnswer("There are too many query parameters."),
  431: refusal("The headers are too large, or too many."),
  500: refusal("Something that nobody expected, told to whoever runs the gateway."),
};

/** What can be wrong with a request whose path has names in it. */
const named: Answers = { 400: refusal("A name in the path is not percent-encoded UTF-8.") };
const asking: Answers = {
  503: refusal("The store does not answer, or the gateway is stopping.", { comesAgain: true }),
};
const writing: Answers = { 507: refusal("The store has no room.", { comesAgain: true }) };

/** `has` says what the operation does, beside its own answers. */
export function answersOf(
  has: { readonly names?: boolean; readonly asks?: boolean; readonly writes?: boolean },
  own: Answers,
): Answers {
  const { names = false, asks = true, writes = false } = has;
  const common = { ...anyRequest, ...(names && named), ...(asks && asking), ...(writes && writing) };
  const merged: Record<string, Answer> = { ...common };
  for (const [status, answer] of Object.entries(own)) {
    const other = common[status as unknown as keyof typeof common];
    merged[status] = other === undefined ? answer : both(answer, other);
  }
  return merged;
}

/** One status for two reasons: the own form is the wider one, which takes the common one, too. */
function both(own: Answer, common: Answer): Answer {
  return {
    description: `${own.description} ${common.description}`,
    content: { ...common.content, ...own.content } as Content,
    headers: { ...common.headers, ...own.headers },
  };
}
