import { randomUUID } from "node:crypto";
import { GatewayError, type GatewayErrorCode } from "@modelgate/core";
import { type S3Answer, S3Connection } from "./connection.ts";
import type { S3Request } from "./exchange.ts";
import { smallestList } from "./list-objects.ts";
import { nameOf } from "./object-name.ts";
import { Operation } from "./operation.ts";
import { checkOptions, type S3ObjectStoreOptions, type S3Settings } from "./options.ts";
import { toPutError } from "./put-object.ts";
import { type Purpose, S3Refusal, toStoreError } from "./s3-error.ts";
import { textOf } from "./xml.ts";

/** What was found out. `undefined` is what could not be. */
export interface S3Inspection {
  /** Whether an S3 server answered, whatever it said. */
  readonly isReached: boolean;
  /** From the first request to its answer, the connection included. */
  readonly answerMs: number | undefined;
  /** As the server calls itself. */
  readonly server: string | undefined;
  readonly areKeysAccepted: boolean | undefined;
  readonly isBucketThere: boolean | undefined;
  readonly canList: boolean | undefined;
  readonly canPut: boolean | undefined;
  readonly canGet: boolean | undefined;
  readonly canDelete: boolean | undefined;
  /** Whether the parts of a larger body may be sent, and given up. */
  readonly canUploadParts: boolean | undefined;
  /** The server's clock less this machine's, to about a second. From 15 minutes on requests are refused. */
  readonly clockDifferenceMs: number | undefined;
  /** With `enabled`, deleted and replaced objects are kept as older versions. */
  readonly versioning: "off" | "enabled" | "suspended" | undefined;
  /** What stood in the way, in the order of the steps. */
  readonly problems: readonly S3Problem[];
}

export interface S3Problem {
  readonly step: "options" | "list" | "put" | "get" | "parts" | "delete" | "versioning";
  readonly code: GatewayErrorCode;
  readonly message: string;
  /** The option that is wrong, where that can be told. */
  readonly field: string | undefined;
}

const PROBE = "modelgate probe";
const KEYS = new Set(["accessKey", "secretKey", "sessionToken"]);

/**
 * Tries what the store needs, with an object of its own below `prefix` that is removed again. Asks each thing once; never
 * throws for what it finds, wrong options included.
 */
export async function inspectS3(options: S3ObjectStoreOptions): Promise<S3Inspection> {
  const problems: S3Problem[] = [];
  let settings: S3Settings;
  try {
    settings = checkOptions({ retries: 0, ...options });
  } catch (error) {
    problems.push(problemOf("options", error, "read"));
    return { ...NOTHING, problems };
  }
  const connection = new S3Connection(settings);
  const operation = new Operation(new Set(), undefined);
  const inspection = new Inspection(connection, operation, problems);
  try {
    return await inspection.run(nameOf(settings.prefix, `health/probe-${randomUUID()}`));
  } finally {
    operation.finish();
    await connection.close();
  }
}

const NOTHING: S3Inspection = {
  isReached: false,
  answerMs: undefined,
  server: undefined,
  areKeysAccepted: undefined,
  isBucketThere: undefined,
  canList: undefined,
  canPut: undefined,
  canGet: undefined,
  canDelete: undefined,
  canUploadParts: undefined,
  clockDifferenceMs: undefined,
  versioning: undefined,
  problems: [],
};

class Inspection {
  readonly #connection: S3Connection;
  readonly #operation: Operation;
  readonly #problems: S3Problem[];
  #lastError: unknown;

  constructor(connection: S3Connection, operation: Operation, problems: S3Problem[]) {
    this.#connection = connection;
    this.#operation = operation;
    this.#problems = problems;
  }

  async run(object: string): Promise<S3Inspection> {
    const startedAtMs = Date.now();
    const query = smallestList(this.#connection.settings);
    const listed = await this.#try("list", "read", { method: "GET", query });
    const endedAtMs = Date.now();
    const refusal = this.#lastError instanceof S3Refusal ? this.#lastError : undefined;
    if (listed === undefined && refusal === undefined) return { ...NOTHING, problems: this.#problems };
    const field = refusal?.code === "AccessDenied" ? undefined : this.#problems[0]?.field;
    const areKeysAccepted = !KEYS.has(field ?? "");
    const base = {
      isReached: true,
      answerMs: endedAtMs - startedAtMs,
      server: listed?.headers["server"]?.toString(),
      areKeysAccepted,
      isBucketThere: areKeysAccepted ? field !== "bucket" : undefined,
      canList: listed !== undefined,
      clockDifferenceMs: clockDifference(
        listed?.headers.date ?? refusal?.date,
        (startedAtMs + endedAtMs) / 2,
      ),
    };
    const canGoOn = areKeysAccepted && base.isBucketThere === true;
    return { ...NOTHING, ...base, ...(canGoOn ? await this.#use(object) : {}), problems: this.#problems };
  }

  async #use(
    object: string,
  ): Promise<Pick<S3Inspection, "canPut" | "canGet" | "canDelete" | "canUploadParts" | "versioning">> {
    const headers = this.#connection.settings.encryption;
    const body = await this.#connection.bodyOf(PROBE);
    const put = await this.#try("put", "write", { method: "PUT", object, headers, body });
    const got = put === undefined ? undefined : await this.#try("get", "read", { method: "GET", object });
    const canUploadParts = await this.#tryParts(object, headers);
    const gone =
      put === undefined ? undefined : await this.#try("delete", "write", { method: "DELETE", object });
    const versions = await this.#try("versioning", "read", { method: "GET", query: "versioning" });
    const status = versions && (textOf(versions.text, "Status") ?? "off").toLowerCase();
    if (status !== "off" && gone !== undefined) await this.#removeVersions(object, [put, gone]);
    return {
      canPut: put !== undefined,
      canGet: put && got?.text === PROBE,
      canDelete: put && gone !== undefined,
      canUploadParts,
      versioning: status === "off" || status === "enabled" || status === "suspended" ? status : undefined,
    };
  }

  /** Where versions are kept, the probe is still there, with a mark that says deleted. */
  async #removeVersions(object: string, answers: readonly (S3Answer | undefined)[]): Promise<void> {
    const ids = answers.map((answer) => answer?.headers["x-amz-version-id"]?.toString() ?? "null");
    for (const id of new Set(ids)) {
      const query = `versionId=${encodeURIComponent(id)}`;
      // The store itself needs no right to this.
      await this.#connection.call({ method: "DELETE", object, query }, this.#operation).catch(() => {});
    }
  }

  async #tryParts(object: string, headers: S3Request["headers"]): Promise<boolean> {
    const begun = await this.#try("parts", "write", { method: "POST", object, query: "uploads", headers });
    const uploadId = begun && textOf(begun.text, "UploadId");
    if (uploadId === undefined) return false;
    const query = `uploadId=${encodeURIComponent(uploadId)}`;
    return (await this.#try("parts", "write", { method: "DELETE", object, query })) !== undefined;
  }

  async #try(step: S3Problem["step"], purpose: Purpose, request: S3Request): Promise<S3Answer | undefined> {
    this.#lastError = undefined;
    try {
      return await this.#connection.call(request, this.#operation);
    } catch (error) {
      this.#lastError = error;
      const isPut = step === "put" || step === "parts";
      const told = isPut ? toPutError(error, this.#connection.settings) : error;
      this.#problems.push(problemOf(step, told, purpose));
      return undefined;
    }
  }
}

function problemOf(step: S3Problem["step"], error: unknown, purpose: Purpose): S3Problem {
  const found = toStoreError(error, purpose);
  if (!GatewayError.is(found)) throw found;
  const { field } = found.details;
  return {
    step,
    code: found.code,
    message: found.message,
    field: field === undefined ? field : String(field),
  };
}

/** The server's clock is told in whole seconds. */
function clockDifference(date: string | undefined, atMs: number): number | undefined {
  const serverMs = Date.parse(date ?? "");
  return Number.isNaN(serverMs) ? undefined : Math.round(serverMs + 500 - atMs);
}
