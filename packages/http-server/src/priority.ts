import type { Issue } from "./answers.ts";

export interface Priority {
  readonly value?: number | undefined;
  readonly issue?: Issue | undefined;
}

const unsaid: Priority = {};

/** A priority in words of a request: the query's, else what came otherwise from `place`. */
export function readPriority(
  inQuery: string | undefined,
  otherwise?: string | undefined,
  place: Issue["loc"] = [],
): Priority {
  const input = inQuery ?? otherwise;
  if (input === undefined) return unsaid;
  const loc = inQuery === undefined ? place : ["query", "priority"];
  const text = input.trim();
  if (!/^[+-]?\d+$/.test(text)) {
    const msg = "Input should be a valid integer, unable to parse string as an integer";
    return { issue: { type: "int_parsing", loc, msg, input } };
  }
  return checkPriority(Number(text), loc, input);
}

/** `input` is shown to the caller. */
export function checkPriority(value: number, loc: Issue["loc"], input: string): Priority {
  if (value < 0) {
    const msg = "Input should be greater than or equal to 0";
    return { issue: { type: "greater_than_equal", loc, msg, input, ctx: { ge: 0 } } };
  }
  if (value > 10) {
    const msg = "Input should be less than or equal to 10";
    return { issue: { type: "less_than_equal", loc, msg, input, ctx: { le: 10 } } };
  }
  return { value: value === 0 ? 0 : value };
}
