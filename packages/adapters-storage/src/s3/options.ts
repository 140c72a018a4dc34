import { invalidOption } from "@modelgate/core/adapter";

/** What is used of a `Client` of the package `minio`, version 8. */
export interface MinioClientLike {
  readonly enableSHA256: boolean;
  makeRequestStreamAsync(
    options: {
      method: string;
      bucketName?: string;
      objectName?: string;
      query?: string;
      headers?: Record<string, string | boolean | number | undefined>;
    },
    body: import("node:stream").Readable | string,
    sha256sum: string,
    statusCodes: number[],
    region: string,
  ): Promise<unknown>;
  presignedUrl(method: string, bucketName: string, objectName: string, expires: number): Promise<string>;
}

export interface S3ObjectStoreOptions {
  /** Where the server listens: `http://host:port` or `https://host:port`. Required without `client`. */
  readonly endpoint?: string | undefined;
  /** It must be there. */
  readonly bucket: string;
  /** What the names of all objects begin with, such as `modelgate/`, so that a bucket may be shared. Default: nothing. */
  readonly prefix?: string | undefined;
  /** Default `us-east-1`. */
  readonly region?: string | undefined;
  /** Required without `client`. */
  readonly accessKey?: string | undefined;
  /** Required without `client`. */
  readonly secretKey?: string | undefined;
  /** Of temporary keys. */
  readonly sessionToken?: string | undefined;
  /** A client of one's own instead of `endpoint` and keys, with a provider of credentials for example. It stays open. */
  readonly client?: MinioClientLike | undefined;
  /** Where a request names the bucket: in its path or before the host. AWS always has it before the host. Default `path`. */
  readonly addressing?: "path" | "virtual-host" | undefined;
  /** Size of the parts of a larger body; smaller ones are sent whole. 5 MiB to 512 MiB; default 8 MiB. At most 10,000 parts make an object. */
  readonly partSizeBytes?: number | undefined;
  /** Parts of one body on their way at once, 1 to 16; one more is held while it fills. Default 2. */
  readonly uploadConcurrency?: number | undefined;
  /** Has the server encrypt what it stores, with its own key or with one of its key manager. Default: as the bucket is set. */
  readonly encryption?:
    | { readonly kind: "s3" }
    | { readonly kind: "kms"; readonly keyId: string }
    | undefined;
  /** How long a connection may take to come about. Default 5,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long nothing may move on a connection while something is waited for. Default 30,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** How often a request is tried again after an interruption or an answer that says "later". Default 3. */
  readonly retries?: number | undefined;
  /** The authority to trust, as PEM text, and whether the server's certificate is checked at all. Default: checked, by the authorities that Node knows. */
  readonly tls?: { readonly ca?: string | undefined; readonly verify?: boolean | undefined } | undefined;
}

/** The same, checked and filled in. */
export interface S3Settings {
  readonly client: MinioClientLike | ServerSettings;
  readonly bucket: string;
  readonly prefix: string;
  readonly partSizeBytes: number;
  readonly uploadConcurrency: number;
  /** For what begins an object. */
  readonly encryption: Readonly<Record<string, string>>;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly retries: number;
}

export interface ServerSettings {
  readonly isSecure: boolean;
  readonly host: string;
  readonly port: number;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken: string | undefined;
  readonly addressing: "path" | "virtual-host";
  readonly ca: string | undefined;
  readonly verify: boolean;
}

const MIB = 1024 * 1024;
const BUCKET = /^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const ADDRESS = /^\d+\.\d+\.\d+\.\d+$/;
/** With it and the longest key a name has no more than the 1,024 bytes that S3 allows. */
const PREFIX = /^(?!.{501})(?:(?!\.{1,2}\/)[A-Za-z0-9_.-]+\/)*$/;
const LONGEST_MS = 2 ** 31 - 1;

/** Throws `INVALID_OPTIONS` that names the field, and never quotes what might be a secret. */
export function checkOptions(options: S3ObjectStoreOptions): S3Settings {
  const { bucket, encryption } = options;
  if (typeof bucket !== "string" || !BUCKET.test(bucket) || ADDRESS.test(bucket)) {
    throw invalidOption("bucket", "must be 3 to 63 characters of a-z, 0-9, - and ., as S3 has it");
  }
  return {
    client: options.client === undefined ? serverOf(options) : clientOf(options.client),
    bucket,
    prefix: prefixOf(options.prefix),
    partSizeBytes: wholeNumber(options, "partSizeBytes", 8 * MIB, 5 * MIB, 512 * MIB),
    uploadConcurrency: wholeNumber(options, "uploadConcurrency", 2, 1, 16),
    encryption: encryptionHeaders(encryption),
    connectTimeoutMs: wholeNumber(options, "connectTimeoutMs", 5000, 1, LONGEST_MS),
    requestTimeoutMs: wholeNumber(options, "requestTimeoutMs", 30_000, 1, LONGEST_MS),
    retries: wholeNumber(options, "retries", 3, 0, 20),
  };
}

function clientOf(client: MinioClientLike): MinioClientLike {
  const isClient =
    typeof client?.makeRequestStreamAsync === "function" && typeof client.presignedUrl === "function";
  if (!isClient) throw invalidOption("client", "must be a Client of the package minio, version 8");
  return client;
}

function serverOf(options: S3ObjectStoreOptions): ServerSettings {
  const url = URL.canParse(String(options.endpoint)) ? new URL(String(options.endpoint)) : undefined;
  const isOrigin =
    (url?.protocol === "http:" || url?.protocol === "https:") &&
    url.pathname === "/" &&
    url.username + url.password + url.search + url.hash === "";
  if (url === undefined || !isOrigin) {
    throw invalidOption(
      "endpoint",
      'must be an address such as "http://127.0.0.1:9000", without keys or a path',
    );
  }
  const { addressing = "path", region = "us-east-1", sessionToken, tls } = options;
  if (addressing !== "path" && addressing !== "virtual-host") {
    throw invalidOption("addressing", 'must be "path" or "virtual-host"');
  }
  const ca = tls?.ca;
  if (ca !== undefined && !(typeof ca === "string" && ca.includes("-----BEGIN CERTIFICATE-----"))) {
    throw invalidOption("tls.ca", "must be the PEM text of a certificate, not the name of its file");
  }
  const verify = tls?.verify ?? true;
  if (typeof verify !== "boolean") throw invalidOption("tls.verify", "must be true or false");
  const isSecure = url.protocol === "https:";
  return {
    isSecure,
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port),
    region: text(region, "region"),
    accessKey: text(options.accessKey, "accessKey"),
    secretKey: text(options.secretKey, "secretKey"),
    sessionToken: sessionToken === undefined ? undefined : text(sessionToken, "sessionToken"),
    addressing,
    ca,
    verify,
  };
}

function prefixOf(prefix: string | undefined): string {
  if (prefix === undefined || prefix === "") return "";
  const ended = typeof prefix === "string" && !prefix.endsWith("/") ? `${prefix}/` : prefix;
  if (typeof ended === "string" && PREFIX.test(ended)) return ended;
  throw invalidOption(
    "prefix",
    "must be up to 500 characters of A-Z, a-z, 0-9, _, ., / and -, without empty, . or .. parts",
  );
}

function encryptionHeaders(encryption: S3ObjectStoreOptions["encryption"]): Record<string, string> {
  if (encryption === undefined) return {};
  if (encryption?.kind === "s3") return { "x-amz-server-side-encryption": "AES256" };
  if (encryption?.kind === "kms") {
    return {
      "x-amz-server-side-encryption": "aws:kms",
      "x-amz-server-side-encryption-aws-kms-key-id": text(encryption.keyId, "encryption.keyId"),
    };
  }
  throw invalidOption("encryption", 'must be { kind: "s3" } or { kind: "kms", keyId }');
}

/** What goes into a header or into the signature of one. */
function text(value: unknown, field: string): string {
  if (typeof value === "string" && /^[\x21-\x7e]+$/.test(value)) return value;
  throw invalidOption(field, "must be given, in ASCII characters without spaces");
}

type NumberField =
  | "partSizeBytes"
  | "uploadConcurrency"
  | "connectTimeoutMs"
  | "requestTimeoutMs"
  | "retries";

function wholeNumber(
  options: S3ObjectStoreOptions,
  field: NumberField,
  fallback: number,
  least: number,
  most: number,
): number {
  const value = options[field] ?? fallback;
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw invalidOption(field, `is ${value}; give a whole number from ${least} to ${most}`);
}
