import type { RawAnswer } from "./read-answers.ts";
import type { Draft } from "./valid-requests.ts";

/** What `fetch` made of a request; no answer where it refused to send it, or was told to stop. */
export async function exchangeFetch(
  url: string,
  draft: Draft,
  agent: string,
  abortAfterMs: number | undefined,
): Promise<{ readonly answer: RawAnswer | undefined; readonly isHung: boolean }> {
  const limit = AbortSignal.timeout(25_000);
  const signal =
    abortAfterMs === undefined ? limit : AbortSignal.any([limit, AbortSignal.timeout(abortAfterMs)]);
  const hasBody = draft.framing !== "none" && !["GET", "HEAD"].includes(draft.method.toUpperCase());
  const body = draft.framing === "chunked" ? streamOf(draft.body) : new Uint8Array(draft.body);
  // A length of -1 makes this client wait for ever before it sends; raw sockets send such headers all the same.
  const headers = draft.headers.filter(([name]) => !/^content-length$/i.test(name));
  try {
    const response = await fetch(url + draft.target, {
      method: draft.method,
      headers: [...headers, ["User-Agent", agent]],
      redirect: "manual",
      signal,
      ...(hasBody && { body, duplex: "half" }),
    } as RequestInit);
    const bytes = Buffer.from(await response.arrayBuffer());
    return {
      answer: { status: response.status, headers: new Map(response.headers), body: bytes },
      isHung: false,
    };
  } catch {
    return { answer: undefined, isHung: limit.aborted };
  }
}

function streamOf(bytes: Buffer): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.byteLength) return controller.close();
      controller.enqueue(new Uint8Array(bytes.subarray(at, at + 1_000)));
      at += 1_000;
    },
  });
}
