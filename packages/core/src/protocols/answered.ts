import type { ServerAnswer } from "../contracts/server-protocol.ts";
import { instanceMark } from "../instance-marks.ts";
import { announcedSize } from "./announced-size.ts";
import type { ExchangeResult } from "./exchange.ts";

export type Answered = Extract<ExchangeResult, { kind: "answered" }>;

/** What the server said, with its body still to be read. */
export function answerOf(answered: Answered): ServerAnswer {
  return {
    status: answered.status,
    contentType: headerOf(answered, "content-type"),
    disposition: headerOf(answered, "content-disposition"),
    sizeBytes: announcedSize(headerOf(answered, "content-length")),
    body: answered.body,
  };
}

/** Which incarnation answered. CMS does not say; what stands before it may, by this header. */
export function instanceOf(answered: Answered): string | undefined {
  const id = headerOf(answered, "x-instance-id");
  return id === undefined ? undefined : instanceMark("header", id);
}

/** One header; the first, when it was sent twice. */
export function headerOf(answered: Answered, name: string): string | undefined {
  const value = answered.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
