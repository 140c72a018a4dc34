import { GatewayError } from "@modelgate/core";

/** What the server answered instead of doing what was asked. */
export class S3Refusal extends Error {
  override readonly name = "S3Refusal";
  readonly status: number;
  /** S3's own word for it; empty when the answer had none. */
  readonly code: string;
  /** When, by the server's clock. */
  readonly date: string | undefined;

  constructor(status: number, code: string, date?: string) {
    super(`the server answered ${status}${code === "" ? "" : ` ${code}`}`);
    this.status = status;
    this.code = code;
    this.date = date;
  }
}

/** Nothing moved for too long. */
export class S3Timeout extends Error {
  override readonly name = "S3Timeout";
  readonly code = "ETIMEDOUT";
}

/** What the call is about, for rights that are missing. */
export type Purpose = "read" | "write";

/** There is no upload of this id, any more. */
export const NO_UPLOAD = "NoSuchUpload";

const LATER_STATUS = new Set([408, 429, 500, 502, 503, 504]);
const LATER = new Set([
  "InternalError",
  "OperationAborted",
  "RequestTimeout",
  "ServiceUnavailable",
  "SlowDown",
  "SlowDownRead",
  "SlowDownWrite",
  // What arrived was not what was sent.
  "BadDigest",
  "XAmzContentSHA256Mismatch",
]);
const FULL = new Set([
  "InsufficientStorage",
  "QuotaExceeded",
  "XMinioAdminBucketQuotaExceeded",
  "XMinioStorageFull",
]);

/** The options that an answer says are wrong. */
const WRONG: Readonly<Record<string, readonly [field: string, message: string]>> = {
  InvalidAccessKeyId: ["accessKey", "the server does not know accessKey; check it"],
  SignatureDoesNotMatch: ["secretKey", "secretKey does not belong to accessKey; check it"],
  InvalidToken: ["sessionToken", "the server refuses sessionToken; get a new one"],
  ExpiredToken: ["sessionToken", "sessionToken has expired; get a new one"],
  NoSuchBucket: ["bucket", "the bucket does not exist; make it, or check bucket"],
  InvalidBucketName: ["bucket", "the server takes no such name; check bucket and addressing"],
  AuthorizationHeaderMalformed: ["region", "the bucket is in another region; check region"],
  PermanentRedirect: ["region", "the bucket is served elsewhere; check region and endpoint"],
  TemporaryRedirect: ["region", "the bucket is served elsewhere; check region and endpoint"],
};

const NETWORK = new Set([
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ETIMEDOUT",
]);

/** Whether the same request may go through in a moment. */
export function mayPass(error: unknown): boolean {
  if (error instanceof S3Refusal) {
    return !FULL.has(error.code) && (LATER_STATUS.has(error.status) || LATER.has(error.code));
  }
  return NETWORK.has(codeOf(error)) || isNoHttp(error);
}

/** The error that a caller of the store gets. Names of objects are in none. */
export function toStoreError(error: unknown, purpose: Purpose): unknown {
  if (GatewayError.is(error)) return error;
  if (error instanceof S3Refusal) return ofRefusal(error, purpose);
  const code = codeOf(error);
  if (isCertificate(code)) {
    return new GatewayError(
      "INVALID_OPTIONS",
      `the server's certificate was refused (${code}); give its authority as tls.ca`,
      { cause: error, details: { field: "tls.ca", reason: code } },
    );
  }
  const what = error instanceof S3Timeout ? error.message : "the connection to the S3 server failed";
  return new GatewayError("STORE_UNAVAILABLE", `${what} (${code || "unknown"})`, {
    // An error of Node's parser carries what it was parsing, which may be of a payload.
    cause: isNoHttp(error) ? new Error(code) : error,
    details: { reason: code || "unknown" },
  });
}

function ofRefusal(refusal: S3Refusal, purpose: Purpose): GatewayError {
  const { status, code } = refusal;
  const details = { status, reason: code };
  const about = { cause: refusal, details };
  const wrong = WRONG[code] ?? (status === 301 || status === 307 ? WRONG["PermanentRedirect"] : undefined);
  if (wrong !== undefined) {
    const [field, message] = wrong;
    return new GatewayError("INVALID_OPTIONS", message, { cause: refusal, details: { field, ...details } });
  }
  if (FULL.has(code) || status === 507) {
    return new GatewayError("STORE_FULL", "the bucket has no room; make some, or raise its quota", about);
  }
  if (code === "RequestTimeTooSkewed") {
    return new GatewayError("STORE_UNAVAILABLE", "the clocks of this machine and the server differ", about);
  }
  if (code === NO_UPLOAD) {
    // By a sweep, or by a rule of the bucket.
    const message = "the upload was ended on the server before it was complete";
    return new GatewayError("STORE_UNAVAILABLE", message, about);
  }
  if (mayPass(refusal)) return new GatewayError("STORE_UNAVAILABLE", refusal.message, about);
  if (status === 403) {
    return purpose === "write"
      ? new GatewayError("STORE_READ_ONLY", "accessKey may not write to the bucket; give it the right", about)
      : new GatewayError("INVALID_OPTIONS", "accessKey may not read from the bucket; give it the right", {
          cause: refusal,
          details: { field: "accessKey", ...details },
        });
  }
  return new GatewayError("ADAPTER_FAILED", refusal.message, about);
}

/** A server without a key manager, or one that wants TLS for this, says so in its own way. */
export function isAboutEncryption(error: unknown): boolean {
  if (!(error instanceof S3Refusal) || mayPass(error)) return false;
  const { status, code } = error;
  return status === 501 || code === "InvalidRequest" || /^kms|encryption/i.test(code);
}

function codeOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === "string" ? code : "";
}

/** What came was no answer. */
function isNoHttp(error: unknown): boolean {
  return codeOf(error).startsWith("HPE_");
}

function isCertificate(code: string): boolean {
  return (
    /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|ALTNAME/.test(code) ||
    code === "HOSTNAME_MISMATCH" ||
    code === "INVALID_CA"
  );
}
