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

export function detail(status: number, text: string, headers?: Headers): ResponseView {
  return json(status, { detail: text }, headers);
}

export function invalid(issues: readonly Issue[]): ResponseView {
  return json(422, { detail: issues });
}

export function missing(loc: Issue["loc"]): ResponseView {
  return invalid([{ type: "missing", loc, msg: "Field required", input: null }]);
}

export const notFound: ResponseView = detail(404, "Not Found");

export function methodNotAllowed(allowed: readonly string[]): ResponseView {
  const names = allowed.includes("GET") ? [...allowed, "HEAD"] : allowed;
  return detail(405, "Method Not Allowed", { allow: names.join(", ") });
}
