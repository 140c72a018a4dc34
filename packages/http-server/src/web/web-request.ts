import { ClientGone, type RequestBody, type RequestView } from "../exchange.ts";
import { plainAddress } from "../plain-address.ts";
import { splitTarget } from "../query.ts";
import { takeBody } from "../take-body.ts";

/** What a host can tell of a request that its `Request` does not hold. */
export interface FetchEnvironment {
  /** Node's own request, as `@hono/node-server` hands it over: it has the target byte for byte, and the address. */
  readonly incoming?:
    | {
        readonly url?: string | undefined;
        readonly socket?: { readonly remoteAddress?: string | undefined } | undefined;
      }
    | undefined;
  /** The caller's address, from a host that knows it otherwise. */
  readonly clientAddress?: string | undefined;
}

export function webRequestView(request: Request, environment: FetchEnvironment): RequestView {
  const target = environment.incoming?.url ?? request.url;
  return {
    query: splitTarget(target.split("#", 1)[0] ?? target).query,
    clientAddress: environment.clientAddress ?? plainAddress(environment.incoming?.socket?.remoteAddress),
    body: webBody(request),
    header: (name) => request.headers.get(name) ?? undefined,
    onHangUp(callback) {
      const { signal } = request;
      if (signal.aborted) callback();
      signal.addEventListener("abort", callback, { once: true });
      return () => signal.removeEventListener("abort", callback);
    },
  };
}

function webBody(request: Request): RequestBody {
  const length = request.headers.get("content-length");
  const announcedBytes = length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
  return {
    announcedBytes,
    async take(wholeBytes) {
      if (announcedBytes !== undefined && announcedBytes <= wholeBytes) {
        return new Uint8Array(await request.arrayBuffer().catch(throwGone));
      }
      if (request.body === null) return new Uint8Array();
      return takeBody(chunksOf(request.body), wholeBytes);
    },
  };
}

async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(throwGone);
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function throwGone(): never {
  throw new ClientGone();
}
