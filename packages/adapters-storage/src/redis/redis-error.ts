import { GatewayError, type GatewayErrorCode } from "@modelgate/core";

interface Description {
  readonly code: GatewayErrorCode;
  readonly message: string;
  /** The option that is to be mended. */
  readonly field?: string;
}

/** The word in capitals that a reply of the server begins with; Redis before 7 wraps what a script met. */
export function replyCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  // Redis 7.0 says so of what a script may not do.
  if (/^ERR ACL failure in script/.test(error.message)) return "NOPERM";
  const wrapped = /-([A-Z]{4,20}) /.exec(error.message)?.[1];
  const own = /^-?([A-Z]{2,20})(?: |$)/.exec(error.message)?.[1];
  return own === "ERR" ? (wrapped ?? own) : own;
}

/** Whether this server is not, or no longer, the one to ask, so that the connection must be made anew. */
export function isOfServer(error: unknown): boolean {
  return ["READONLY", "LOADING", "MASTERDOWN", "NOAUTH", "UNBLOCKED"].includes(replyCode(error) ?? "");
}

/** Translates what the server or the driver said. Messages name where Redis is, never keys, texts or secrets. */
export function toGatewayError(error: unknown, place: string): GatewayError {
  if (GatewayError.is(error)) return error;
  const reply = replyCode(error);
  const { code, message, field } = reply === undefined ? ofConnection(error) : ofReply(reply, error);
  // The driver's own errors carry the command with its arguments: only their kind is passed on.
  const cause = new Error(reply ?? systemCode(error));
  const details = { adapter: "redis", ...(reply && { reply }), ...(field && { field }) };
  return new GatewayError(code, `${place}: ${message}`, { cause, details });
}

function ofReply(reply: string, error: unknown): Description {
  switch (reply) {
    case "WRONGPASS":
    case "NOAUTH":
      return {
        code: "STORE_UNAVAILABLE",
        message: "the user or the password was refused; check username and password",
        field: "password",
      };
    case "NOPERM":
      return { code: "STORE_READ_ONLY", message: `${missingRight(error)}; grant it with ACL SETUSER` };
    case "OOM":
      return { code: "STORE_FULL", message: "its memory is full; raise maxmemory there" };
    case "READONLY":
      return { code: "STORE_UNAVAILABLE", message: "it is a replica, which takes no writes", field: "url" };
    case "MISCONF":
    case "NOREPLICAS":
      return {
        code: "STORE_UNAVAILABLE",
        message: "it takes no writes, as it cannot save or replicate them",
      };
    case "LOADING":
      return { code: "STORE_UNAVAILABLE", message: "it is starting, and reads its data" };
    case "MOVED":
    case "CROSSSLOT":
      return {
        code: "STORE_UNAVAILABLE",
        message: "it is one node of a Cluster; set cluster in place of url",
        field: "cluster",
      };
    case "CLUSTERDOWN":
    case "MASTERDOWN":
    case "TRYAGAIN":
    case "BUSY":
    case "UNKILLABLE":
      return { code: "STORE_UNAVAILABLE", message: "it could not do it now; call again" };
    default:
      if (/max number of clients/i.test((error as Error).message))
        return { code: "STORE_UNAVAILABLE", message: "it has no connection left; raise maxclients there" };
      return { code: "ADAPTER_FAILED", message: "it refused a command" };
  }
}

/** In words of Redis 7: "has no permissions to run the 'info' command". Keys and channels are not told. */
function missingRight(error: unknown): string {
  const command = /the '([a-z|-]{1,40})' command/.exec((error as Error).message)?.[1];
  if (command !== undefined) return `the user may not run the command ${command}`;
  if (/channel/i.test((error as Error).message)) return "the user may not use a channel of this prefix";
  return "the user may not use a key of this prefix";
}

function systemCode(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === "string" && /^[A-Z][A-Z0-9_]{2,60}$/.test(code) ? code : "no code";
}

function ofConnection(error: unknown): Description {
  const code = systemCode(error);
  const text = error instanceof Error ? error.message : "";
  const [, inner] = /Last error: (.*)$/s.exec(text) ?? [];
  if (/All sentinels are unreachable/.test(text))
    return {
      code: "STORE_UNAVAILABLE",
      message: /WRONGPASS|NOAUTH/.test(inner ?? "")
        ? "the Sentinels refused the user or the password; check sentinels.username and sentinels.password"
        : "no Sentinel answers and knows this name; check sentinels.nodes, sentinels.name and sentinels.tls",
      field: "sentinels",
    };
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return { code: "STORE_UNAVAILABLE", message: "the host is not known; check url", field: "url" };
  if (code === "ECONNREFUSED")
    return {
      code: "STORE_UNAVAILABLE",
      message: "nothing answers there; check url, and whether it runs",
      field: "url",
    };
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO/.test(code))
    return {
      code: "STORE_UNAVAILABLE",
      message: /WRONG_VERSION|EPROTO/.test(code)
        ? "it does not speak TLS there, or asks for a certificate of ours; check tls and the port"
        : "its certificate is not trusted; set tls.ca, or tls.serverName to the name it has",
      field: "tls",
    };
  return { code: "STORE_UNAVAILABLE", message: "the connection was lost, or could not be made in time" };
}
