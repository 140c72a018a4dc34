import type { ByteStream } from "@modelgate/core";
import type { ResponseView } from "../exchange.ts";

/** An answer for a host of `Response`s; without its body when only its head was asked for. */
export function webResponse({ status, headers, body, sizeBytes }: ResponseView, isHead = false): Response {
  if (status === 304 || status === 204) return new Response(null, { status, headers });
  const isWhole = typeof body === "string" || body instanceof Uint8Array;
  const length = isWhole ? Buffer.byteLength(body) : sizeBytes;
  const sent = { ...headers, ...(length !== undefined && { "content-length": String(length) }) };
  if (isHead) return new Response(null, { status, headers: sent });
  const given = isWhole ? (body as string | Uint8Array<ArrayBuffer>) : readableOf(body);
  return new Response(given, { status, headers: sent });
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
