import type { ForeignBucket } from "@modelgate/adapters-storage/s3";
import type { ByteStream } from "@modelgate/core";

/** A message of its queue: all that it knows of a request beside the row. */
export interface CmgMessage {
  readonly uuid: string;
  readonly content_type: string;
  readonly params: Readonly<Record<string, string>>;
  readonly refs: readonly CmgRef[];
}

interface CmgRef {
  readonly key?: string;
  readonly field?: string;
  readonly filename?: string;
  readonly value?: string;
}

/** A request as it would have been sent. */
export interface CmgRequest {
  readonly query: string;
  readonly contentType: string;
  readonly body: ByteStream;
}

/** An object that a message names is not in its bucket. */
export class PayloadMissing extends Error {}

/** Undefined for what none of its versions writes. */
export function toMessage(bytes: Uint8Array): CmgMessage | undefined {
  try {
    const value = JSON.parse(new TextDecoder().decode(bytes)) as Partial<CmgMessage>;
    const { uuid, content_type: contentType, params = {}, refs = [] } = value;
    if (typeof uuid !== "string" || typeof contentType !== "string" || !Array.isArray(refs)) return undefined;
    return { uuid, content_type: contentType, params, refs };
  } catch {
    return undefined;
  }
}

/** The request that its scheduler would have made of a message. */
export function toRequest(
  { content_type: contentType, params, refs }: CmgMessage,
  bucket: ForeignBucket,
): CmgRequest {
  // The id by which the server knows a run is added to each request anyway.
  const given = Object.entries(params).filter(([name]) => name !== "tracking_id");
  const query = new URLSearchParams(
    given.map(([name, value]): [string, string] => [name, `${value}`]),
  ).toString();
  const boundary = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);
  const isForm = /^\s*multipart\/form-data/i.test(contentType);
  const name = boundary?.[1] ?? boundary?.[2];
  if (isForm && name !== undefined) return { query, contentType, body: form(refs, name, bucket) };
  return { query, contentType, body: whole(refs[0]?.key, bucket) };
}

async function* whole(name: string | undefined, bucket: ForeignBucket): AsyncGenerator<Uint8Array> {
  if (name === undefined) return;
  const found = await bucket.get(name);
  if (found === undefined) throw new PayloadMissing(name);
  yield* found.body;
}

/** The sender's own boundary is in none of the parts, since it parted them before. */
async function* form(
  refs: readonly CmgRef[],
  boundary: string,
  bucket: ForeignBucket,
): AsyncGenerator<Uint8Array> {
  const text = new TextEncoder();
  for (const { field = "", key, filename = "", value = "" } of refs) {
    const file = key === undefined ? "" : `; filename="${quoted(filename)}"`;
    // Its own requests named no media type of a part either: it had not kept them.
    yield text.encode(
      `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(field)}"${file}\r\n\r\n`,
    );
    if (key === undefined) yield text.encode(value);
    else yield* whole(key, bucket);
    yield text.encode("\r\n");
  }
  yield text.encode(`--${boundary}--\r\n`);
}

/** As browsers write names in forms. */
function quoted(name: string): string {
  return name.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}
