import { randomUUID } from "node:crypto";
import { basename } from "node:path";
import type { UploadBody } from "../client/send-request.ts";
import { contentTypeOf } from "./content-types.ts";
import { fileSource } from "./file-source.ts";

export interface FormParts {
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Each with the path of its file, after an `@` or without, and perhaps `;type=` and a media type. */
  readonly files: readonly (readonly [name: string, path: string])[];
}

interface Part {
  readonly head: Uint8Array;
  readonly body: UploadBody;
}

/** A form as it is sent; its files are opened one after the other, while they are sent. */
export async function formBody({
  fields,
  files,
}: FormParts): Promise<{ contentType: string; body: UploadBody }> {
  const boundary = `modelgate-${randomUUID()}`;
  const parts: Part[] = [];
  for (const [name, value] of fields) {
    const bytes = Buffer.from(value);
    const head = headOf(boundary, [`Content-Disposition: form-data; name="${quoted(name)}"`]);
    parts.push({ head, body: { bytes: once(bytes), sizeBytes: bytes.byteLength } });
  }
  for (const [name, given] of files) {
    const { path, type } = splitFile(given);
    const disposition = `Content-Disposition: form-data; name="${quoted(name)}"; filename="${quoted(basename(path))}"`;
    parts.push({
      head: headOf(boundary, [disposition, `Content-Type: ${type}`]),
      body: await fileSource(path),
    });
  }
  const tail = Buffer.from(`--${boundary}--\r\n`);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: { bytes: joined(parts, tail), sizeBytes: sizeOf(parts, tail) },
  };
}

function splitFile(given: string): { path: string; type: string } {
  const [, path = given, type] = /^(.*);type=([\w.+-]+\/[\w.+-]+)$/s.exec(given) ?? [];
  const plain = path.replace(/^@/, "");
  return { path: plain, type: type ?? contentTypeOf(plain) };
}

/** As browsers write names (HTML, multipart form data). */
function quoted(name: string): string {
  return name.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function headOf(boundary: string, lines: readonly string[]): Uint8Array {
  return Buffer.from(`--${boundary}\r\n${lines.join("\r\n")}\r\n\r\n`);
}

const LINE_END = Buffer.from("\r\n");

async function* joined(
  parts: readonly Part[],
  tail: Uint8Array,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (const { head, body } of parts) {
    yield head;
    yield* body.bytes;
    yield LINE_END;
  }
  yield tail;
}

function sizeOf(parts: readonly Part[], tail: Uint8Array): number | undefined {
  let sizeBytes = tail.byteLength;
  for (const { head, body } of parts) {
    if (body.sizeBytes === undefined) return undefined;
    sizeBytes += head.byteLength + body.sizeBytes + LINE_END.byteLength;
  }
  return sizeBytes;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
