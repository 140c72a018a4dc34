import { GatewayError, type GatewayErrorCode } from "@modelgate/core";

/** Codes of AMQP 0-9-1 that are told apart here. */
export const NOT_FOUND = 404;
export const PRECONDITION_FAILED = 406;
const ACCESS_REFUSED = 403;
const NOT_ALLOWED = 530;

/** AMQP's own code of what the broker refused. */
export function replyCode(error: unknown): number | undefined {
  const code = GatewayError.is(error)
    ? error.details["replyCode"]
    : (error as { code?: unknown } | undefined)?.code;
  if (typeof code === "number") return code;
  // The driver tells codes of the handshake in its text only.
  const text = textOf(error);
  if (text.startsWith("Expected ConnectionOpenOk; got <ConnectionClose")) return NOT_ALLOWED;
  const told = /: (\d{3}) \(/.exec(text)?.[1];
  return told === undefined ? undefined : Number(told);
}

interface Description {
  readonly code: GatewayErrorCode;
  readonly message: string;
  /** The option that is to be mended. */
  readonly field?: string;
}

/** Translates what the broker or the driver said. Messages name neither entries nor secrets. */
export function toGatewayError(error: unknown): GatewayError {
  if (GatewayError.is(error)) return error;
  const reply = replyCode(error);
  const { code, message, field } = reply === undefined ? ofConnection(error) : ofBroker(reply, textOf(error));
  const details = { adapter: "rabbitmq", ...(reply && { replyCode: reply }), ...(field && { field }) };
  // The driver's own errors may quote what was sent: only their kind is passed on.
  const cause = new Error(reply === undefined ? systemCode(error) : `AMQP ${reply}`);
  return new GatewayError(code, message, { cause, details });
}

export function unavailable(message: string, field?: string): GatewayError {
  return new GatewayError("STORE_UNAVAILABLE", message, {
    details: { adapter: "rabbitmq", ...(field && { field }) },
  });
}

/** While an alarm of the broker is on, it reads nothing of a connection that publishes. */
export function blockedError(reason: string): GatewayError {
  const isDisk = /disk/i.test(reason);
  const what = isDisk ? "its disk is below disk_free_limit" : "its memory is above vm_memory_high_watermark";
  return new GatewayError("STORE_FULL", `RabbitMQ takes no messages because ${what}`, {
    details: { adapter: "rabbitmq", alarm: isDisk ? "disk" : "memory" },
  });
}

function ofBroker(reply: number, text: string): Description {
  switch (reply) {
    case ACCESS_REFUSED:
      if (/login was refused/i.test(text) || /handshake/i.test(text))
        return {
          code: "STORE_UNAVAILABLE",
          message: "RabbitMQ refused the user or the password; check username and password",
          field: "password",
        };
      return {
        code: "STORE_UNAVAILABLE",
        message:
          "the user of RabbitMQ lacks a right; give configure, write and read for names that begin with prefix",
        field: "username",
      };
    case NOT_ALLOWED:
      return {
        code: "STORE_UNAVAILABLE",
        message:
          "RabbitMQ has no such vhost, or does not let this user in; check vhost, and permissions there",
        field: "vhost",
      };
    case PRECONDITION_FAILED:
      return {
        code: "STORE_UNAVAILABLE",
        message:
          "RabbitMQ has a queue or exchange of this name with other settings; delete it, or change prefix",
        field: "prefix",
      };
    case 312:
    case NOT_FOUND:
      return { code: "STORE_UNAVAILABLE", message: "a queue or an exchange was deleted; call again" };
    case 320:
      return {
        code: "STORE_UNAVAILABLE",
        message: "RabbitMQ ended the connection; it stops, or an operator did",
      };
    case 540:
      return {
        code: "STORE_UNAVAILABLE",
        message: "RabbitMQ lacks something that is needed; set queueType to classic, or update it",
        field: "queueType",
      };
    default:
      return { code: "STORE_UNAVAILABLE", message: "RabbitMQ could not do it now; call again" };
  }
}

function ofConnection(error: unknown): Description {
  const code = systemCode(error);
  const text = textOf(error);
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return {
      code: "STORE_UNAVAILABLE",
      message: "the host of RabbitMQ is not known; check url",
      field: "url",
    };
  if (code === "ECONNREFUSED")
    return {
      code: "STORE_UNAVAILABLE",
      message: "nothing answers at the address of RabbitMQ; check url, and whether it runs",
      field: "url",
    };
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "EPROTO")
    return {
      code: "STORE_UNAVAILABLE",
      message: "what answers at the address of RabbitMQ speaks no TLS; check tls, and the port in url",
      field: "tls",
    };
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|ERR_OSSL/.test(code))
    return {
      code: "STORE_UNAVAILABLE",
      message: "the certificate of RabbitMQ is not trusted; set tls.ca, or tls.serverName to the name it has",
      field: "tls",
    };
  if (/SASL mechanism/.test(text))
    return {
      code: "STORE_UNAVAILABLE",
      message: "RabbitMQ does not offer the mechanism PLAIN; allow it in auth_mechanisms there",
      field: "password",
    };
  return {
    code: "STORE_UNAVAILABLE",
    message: "the connection to RabbitMQ was lost, or could not be made in time",
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : "";
}

function systemCode(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === "string" && /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? code : "no code";
}
