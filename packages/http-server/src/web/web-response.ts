import type { ByteStream } from "@modelgate/core";
import type { ResponseView } from "../exchange.ts";
import { discard } from "../read-stream.ts";

/** An answer for a host of `Response`s; without its body when only its head was asked for. */
export function webResponse(view: ResponseView, isHead = false): Response {
  const { status, body, sizeBytes } = view;
  const isWhole = typeof body === "string" || body instanceof Uint8Array;
  const length = isWhole ? Buffer.byteLength(body) : sizeBytes;
  if (NO_BODY.has(status)) {
    if (!isWhole) void discard(body).catch(() => {});
    return new Response(null, { status, headers: headersOf(view, undefined) });
  }
  const sent = headersOf(view, length);
  if (isHead) return new Response(null, { status, headers: sent });
  const given = isWhole ? (body as string | Uint8Array<ArrayBuffer>) : readableOf(body);
  return new Response(given, { status, headers: sent });
}

/** Statuses with which no `Response` has a body. */
const NO_BODY = new Set([204, 205, 304]);

function headersOf({ headers, headerList = [] }: ResponseView, length: number | undefined): Headers {
  const sent = new Headers(headers);
  for (const [name, value] of headerList) sent.append(name, value);
  if (length !== undefined) sent.set("content-length", String(length));
  return sent;
}

/** Pulled piece by piece, so that the client's pace is the reader's; cancelled, it lets go of the source. */
function readableOf(body: ByteStream): ReadableStream<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await iterator.next().catch(breakOff);
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

/** A host writes down what breaks a stream, and an error of a store may name anything. */
function breakOff(): never {
  throw new Error("the answer could not be read to its end");
}
