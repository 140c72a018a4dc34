import { BodyTaken, ClientGone, type RequestBody, type RequestView } from "../exchange.ts";
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

/** The path of an address, as it stands there. */
export function pathOf(url: string): string {
  const [, path = "/"] = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*([^?#]*)/i.exec(url) ?? [];
  return path === "" ? "/" : path;
}

/** `path` is what is left of the request's after everything that it was mounted below. */
export function webRequestView(request: Request, environment: FetchEnvironment, path: string): RequestView {
  const target = environment.incoming?.url ?? request.url;
  return {
    method: request.method,
    query: splitTarget(target.split("#", 1)[0] ?? target).query,
    get mountPath() {
      const full = splitTarget(environment.incoming?.url ?? pathOf(request.url)).path;
      return full.endsWith(path) ? full.slice(0, -path.length) : "";
    },
    clientAddress: environment.clientAddress ?? plainAddress(environment.incoming?.socket?.remoteAddress),
    canUpgrade: false,
    body: webBody(request),
    header: (name) => request.headers.get(name) ?? undefined,
    headers: () => [...request.headers],
    onHangUp(callback) {
      const { signal } = request;
      if (signal.aborted) callback();
      signal.addEventListener("abort", callback, { once: true });
      return () => signal.removeEventListener("abort", callback);
    },
  };
}

function webBody(request: Request): RequestBody {
  const announcedBytes = announcedOf(request);
  return {
    announcedBytes,
    async take(wholeBytes) {
      if (request.bodyUsed) throw new BodyTaken();
      if (announcedBytes !== undefined && announcedBytes <= wholeBytes) {
        return new Uint8Array(await request.arrayBuffer().catch(throwGone));
      }
      if (request.body === null) return new Uint8Array();
      return takeBody(chunksOf(request.body), wholeBytes);
    },
    async *stream() {
      if (request.bodyUsed) throw new BodyTaken();
      if (request.body !== null) yield* chunksOf(request.body);
    },
  };
}

function announcedOf({ headers, body }: Request): number | undefined {
  if (body === null) return 0;
  const length = headers.get("content-length");
  return length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
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
