import type { ByteStream } from "@modelgate/core";
import type { ResponseView } from "../exchange.ts";

export function webResponse(view: ResponseView): Response {
  const { status, body, sizeBytes } = view;
  if (typeof body === "string" || body instanceof Uint8Array) {
    const bytes = typeof body === "string" ? body : (body as Uint8Array<ArrayBuffer>);
    return new Response(bytes, { status, headers: view.headers });
  }
  const headers = {
    ...view.headers,
    ...(sizeBytes !== undefined && { "content-length": String(sizeBytes) }),
  };
  return new Response(readableOf(body), { status, headers });
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
