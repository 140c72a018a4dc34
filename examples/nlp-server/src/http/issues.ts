import { json, Refusal } from "./answer.ts";

type Location = (string | number)[];

/** What is wrong with one part of a request, as FastAPI says it, which CMS is built on. */
export interface Issue {
  type: string;
  loc: Location;
  msg: string;
  input: unknown;
  ctx?: unknown;
}

export function unprocessable(...issues: readonly Issue[]): Refusal {
  return new Refusal(json(422, { detail: issues }));
}

export function missing(loc: Location, input: unknown = null): Issue {
  return { type: "missing", loc, msg: "Field required", input };
}

export function notString(loc: Location, input: unknown): Issue {
  return { type: "string_type", loc, msg: "Input should be a valid string", input };
}

export function notList(loc: Location, input: unknown): Issue {
  return { type: "list_type", loc, msg: "Input should be a valid list", input };
}
