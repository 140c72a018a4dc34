import { GatewayError, type OperationOptions } from "@modelgate/core";
import { S3Connection } from "./connection.ts";
import { decodeName, encodeName } from "./list-objects.ts";
import { keyOf } from "./object-name.ts";
import { Operation } from "./operation.ts";
import { checkOptions, type S3ObjectStoreOptions } from "./options.ts";
import { NO_UPLOAD, S3Refusal, toStoreError } from "./s3-error.ts";
import { contentsOf, textOf } from "./xml.ts";

export interface SweepS3UploadsOptions extends OperationOptions {
  /** Uploads whose last part came within this time are left alone. Default 24 h, at least one hour. */
  readonly minAgeMs?: number | undefined;
  /** Ends nothing. Default `false`. */
  readonly dryRun?: boolean | undefined;
}

/** Counts of uploads that were begun and neither completed nor given up. */
export interface SweepS3UploadsReport {
  readonly examined: number;
  /** Younger than `minAgeMs`, by their beginning or by their last part. */
  readonly young: number;
  /** Not below `prefix`, or not of the gateway's making. */
  readonly foreign: number;
  readonly leftOver: number;
  readonly ended: number;
}

const HOUR_MS = 3_600_000;
const PAGE = 1000;

interface Unfinished {
  readonly name: string;
  readonly uploadId: string;
  readonly begunAtMs: number;
}

/**
 * Ends the uploads that a process left unfinished when it died; their parts take room and are seen in no listing. Ages are
 * told by the server's clock. An upload that goes on after all is refused, so that nothing is stored by halves. Rejects
 * `INVALID_OPTIONS` and the codes of the store.
 */
export async function sweepS3Uploads(
  store: S3ObjectStoreOptions,
  options: SweepS3UploadsOptions = {},
): Promise<SweepS3UploadsReport> {
  const { minAgeMs = 24 * HOUR_MS, dryRun = false, signal } = options;
  if (!(minAgeMs >= HOUR_MS)) {
    throw new GatewayError("INVALID_OPTIONS", `minAgeMs must be at least ${HOUR_MS}; it is ${minAgeMs}`, {
      details: { field: "minAgeMs" },
    });
  }
  const connection = new S3Connection(checkOptions(store));
  signal?.throwIfAborted();
  const operation = new Operation(new Set(), signal);
  const sweep = new UploadSweep(connection, operation);
  const report = { examined: 0, young: 0, foreign: 0, leftOver: 0, ended: 0 };
  try {
    for await (const { uploads, nowMs } of sweep.pages()) {
      for (const upload of uploads) {
        report.examined += 1;
        if (keyOf(connection.settings.prefix, upload.name) === undefined) report.foreign += 1;
        else if (nowMs - (await sweep.lastAtMs(upload, nowMs - minAgeMs)) < minAgeMs) report.young += 1;
        else {
          report.leftOver += 1;
          if (!dryRun && (await sweep.end(upload))) report.ended += 1;
        }
      }
    }
    return report;
  } catch (error) {
    operation.throwIfEnded();
    throw toStoreError(error, "write");
  } finally {
    operation.finish();
    await connection.close();
  }
}

class UploadSweep {
  readonly #connection: S3Connection;
  readonly #operation: Operation;

  constructor(connection: S3Connection, operation: Operation) {
    this.#connection = connection;
    this.#operation = operation;
  }

  async *pages(): AsyncGenerator<{ readonly uploads: readonly Unfinished[]; readonly nowMs: number }> {
    const prefix = encodeName(this.#connection.settings.prefix);
    let markers: string[] = [];
    for (;;) {
      const query = ["encoding-type=url", ...markers, `max-uploads=${PAGE}`, `prefix=${prefix}`, "uploads"];
      const { text, headers } = await this.#call("GET", undefined, query.join("&"));
      const isUrl = textOf(text, "EncodingType") === "url";
      const uploads = contentsOf(text, "Upload").map((upload) => ({
        name: decodeName(textOf(upload, "Key") ?? "", isUrl),
        uploadId: textOf(upload, "UploadId") ?? "",
        begunAtMs: Date.parse(textOf(upload, "Initiated") ?? ""),
      }));
      yield { uploads, nowMs: Date.parse(headers.date ?? "") || Date.now() };
      const key = textOf(text, "NextKeyMarker") ?? "";
      if (textOf(text, "IsTruncated") !== "true" || key === "") return;
      const id = textOf(text, "NextUploadIdMarker") ?? "";
      markers = [`key-marker=${encodeName(decodeName(key, isUrl))}`, `upload-id-marker=${encodeName(id)}`];
    }
  }

  /** When its last part came; anything later than `boundMs` is as good as the last. */
  async lastAtMs({ name, uploadId, begunAtMs }: Unfinished, boundMs: number): Promise<number> {
    let lastAtMs = begunAtMs;
    let marker = "0";
    while (!(lastAtMs > boundMs)) {
      const query = `part-number-marker=${marker}&uploadId=${encodeName(uploadId)}`;
      const text = await this.#unlessOver(async () => (await this.#call("GET", name, query)).text);
      for (const part of contentsOf(text ?? "", "Part")) {
        lastAtMs = Math.max(lastAtMs, Date.parse(textOf(part, "LastModified") ?? ""));
      }
      const next = textOf(text ?? "", "NextPartNumberMarker") ?? "";
      if (textOf(text ?? "", "IsTruncated") !== "true" || next === marker) break;
      marker = next;
    }
    return lastAtMs;
  }

  /** Whether it was there to be ended. */
  async end({ name, uploadId }: Unfinished): Promise<boolean> {
    const query = `uploadId=${encodeName(uploadId)}`;
    return (await this.#unlessOver(() => this.#call("DELETE", name, query))) !== undefined;
  }

  #call(
    method: "GET" | "DELETE",
    object: string | undefined,
    query: string,
  ): ReturnType<S3Connection["call"]> {
    return this.#connection.call({ method, object, query }, this.#operation);
  }

  /** It may have been completed, or ended by somebody else, since it was listed. */
  async #unlessOver<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof S3Refusal && error.code === NO_UPLOAD) return undefined;
      throw error;
    }
  }
}
