import type { ResponseView } from "./exchange.ts";

/** One entry of a 422, as FastAPI writes it. */
export interface Issue {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: string | null;
  readonly ctx?: Readonly<Record<string, number>> | undefined;
}

type Headers = Readonly<Record<string, string>>;

export function json(status: number, value: unknown, headers?: Headers): ResponseView {
  return jsonText(status, JSON.stringify(value), headers);
}

/** `text` is JSON already. */
export function jsonText(status: number, text: string, headers?: Headers): ResponseView {
  return { status, headers: { "content-type": "application/json", ...headers }, body: text };
}

const PHRASES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  507: "Insufficient Storage",
};

export interface ProblemOptions {
  /** A code of the error table, where there is one. */
  readonly code?: string | undefined;
  readonly headers?: Headers | undefined;
  /** What else the body tells, beside `detail`. */
  readonly members?: Readonly<Record<string, unknown>> | undefined;
}

/** An error: what CMG's callers look for in `detail`, and beside it the members of RFC 9457. */
export function problem(status: number, detail: unknown, options: ProblemOptions = {}): ResponseView {
  const text = JSON.stringify({ detail, ...options.members, ...problemMembers(status, options.code) });
  return { ...jsonText(status, text, options.headers), problem: text };
}

/** An error whose body callers compare as a whole; the members come only to those who ask for them. */
export function bareProblem(status: number, detail: string, options: ProblemOptions = {}): ResponseView {
  return { ...problem(status, detail, options), body: JSON.stringify({ detail }) };
}

/** An error whose own `status` is a word; those who ask for RFC 9457 get the number, and the word as `stateName`. */
export function statefulProblem(
  status: number,
  body: Readonly<Record<string, unknown>> & { readonly status: string },
  stateName: string,
  options: ProblemOptions = {},
): ResponseView {
  const members = problemMembers(status, options.code);
  const asked = JSON.stringify({ ...body, [stateName]: body.status, ...members });
  const { status: _, ...others } = members;
  return { ...json(status, { ...body, ...others }, options.headers), problem: asked };
}

function problemMembers(
  status: number,
  code: string | undefined,
): { type: string; title: string; status: number; code?: string } {
  const words = code?.toLowerCase().replaceAll("_", " ") ?? PHRASES[status] ?? "Error";
  return {
    type: `urn:modelgate:error:${words.toLowerCase().replaceAll(" ", "-")}`,
    title: words.charAt(0).toUpperCase() + words.slice(1),
    status,
    ...(code !== undefined && { code }),
  };
}

export function invalid(issues: readonly Issue[]): ResponseView {
  return problem(422, issues, { code: "INVALID_REQUEST" });
}

/** A 422 about one field whose content is not repeated. */
export function invalidField(loc: Issue["loc"], msg: string, more: Partial<Issue> = {}): ResponseView {
  return invalid([{ type: "value_error", loc, msg, input: null, ...more }]);
}

export function missing(loc: Issue["loc"]): ResponseView {
  return invalidField(loc, "Field required", { type: "missing" });
}

export const notFound: ResponseView = problem(404, "Not Found");

export function methodNotAllowed(allowed: readonly string[]): ResponseView {
  const names = allowed.includes("GET") ? [...allowed, "HEAD"] : allowed;
  return problem(405, "Method Not Allowed", { headers: { allow: names.join(", ") } });
}

/** The answer in the form that the caller's `Accept` asks for. */
export function negotiated(view: ResponseView, accept: string | undefined): ResponseView {
  if (view.problem === undefined || accept === undefined) return view;
  if (!/application\/problem\+json/i.test(accept)) return view;
  return {
    ...view,
    body: view.problem,
    headers: { ...view.headers, "content-type": "application/problem+json" },
  };
}
