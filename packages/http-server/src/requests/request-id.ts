import { randomUUID } from "node:crypto";
import type { HeaderList } from "@modelgate/core";
import type { RequestView } from "../exchange.ts";

export const REQUEST_ID = "x-request-id";

/** What a log line, a header and a search may hold without being quoted. */
const SANE = /^[\w.:/+=@~-]{1,128}$/;

const made = new WeakMap<RequestView, string>();

/** The caller's name for the request, where it is one; otherwise a new one. */
export function requestIdOf(given: string | undefined): string {
  return given !== undefined && SANE.test(given) ? given : randomUUID();
}

/** Keeps the id that a request has here. */
export function nameRequest(request: RequestView, id: string): void {
  made.set(request, id);
}

/** All headers of a request, for the server that it goes on to: with the id that it has here, if any. */
export function namedHeaders(request: RequestView): HeaderList {
  const id = made.get(request);
  return id === undefined ? request.headers() : withId(request.headers(), id);
}

/** The same headers, with this id alone. */
export function withId(headers: HeaderList, id: string): HeaderList {
  return [...headers.filter(([name]) => name.toLowerCase() !== REQUEST_ID), [REQUEST_ID, id]];
}
