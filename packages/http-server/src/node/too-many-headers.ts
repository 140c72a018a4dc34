import type { IncomingMessage } from "node:http";
import { problem } from "../answers.ts";
import type { ResponseView } from "../exchange.ts";

/**
 * Names and values together. Node leaves out what comes after so many without a word, and that may be the header by
 * which a body is told from none.
 */
const MAX_RAW_HEADERS = 2_000;

export const tooManyHeaders: ResponseView = problem(
  431,
  `A request may have fewer than ${MAX_RAW_HEADERS / 2} headers.`,
  { headers: { connection: "close" } },
);

export function hasTooManyHeaders({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.length >= MAX_RAW_HEADERS;
}
