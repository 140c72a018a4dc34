import { GatewayError } from "@modelgate/core";
import type { MlflowSettings } from "./options.ts";

/** Why MLflow cannot be asked. The words are ours: an answer, an address or a header may hold what nobody should read. */
export type Reason =
  | "unreachable"
  | "untrusted"
  | "timeout"
  | "refused"
  | "forbidden"
  | "elsewhere"
  | "answer"
  | "status"
  | "size";

/** `TRACKING_UNAVAILABLE` that names the option to look at. */
export function unavailable(reason: Reason, settings: MlflowSettings, status?: number): GatewayError {
  const [field, message] = told(reason, settings, status);
  const details = { field, reason, ...(status !== undefined && { status }) };
  return new GatewayError("TRACKING_UNAVAILABLE", message, { details });
}

export function isTimeout(error: unknown): boolean {
  return GatewayError.is(error, "TRACKING_UNAVAILABLE") && error.details["reason"] === "timeout";
}

function told(reason: Reason, settings: MlflowSettings, status = 0): [field: string, message: string] {
  const { credentials, timeoutMs } = settings;
  const field = credentials === "token" ? "token" : "username";
  switch (reason) {
    case "unreachable":
      return ["url", "the tracker cannot be reached; check url"];
    case "untrusted":
      return [
        "url",
        "the tracker's certificate is not trusted; check url, or name its authority in NODE_EXTRA_CA_CERTS",
      ];
    case "timeout":
      return ["url", `the tracker did not answer within ${timeoutMs} ms; check url, or raise timeoutMs`];
    case "refused":
      return credentials === undefined
        ? [field, "the tracker wants credentials; give username and password, or token"]
        : [field, `the tracker refused the credentials; check ${credentials}`];
    case "forbidden":
      return credentials === undefined
        ? [field, "the tracker lets nobody read without credentials; give username and password, or token"]
        : [field, `the tracker does not let these credentials read; check ${credentials}, and their rights`];
    case "elsewhere":
      return ["url", "the tracker leads to another address, as to a page for logging in; check url"];
    case "answer":
      return ["url", "what answered is not the API of MLflow; check url"];
    case "status":
      return ["url", `the tracker, or what stands before it, answered ${status}; if that goes on, check url`];
    case "size":
      return ["url", "the tracker's answer is larger than anybody could have meant; check url"];
  }
}
