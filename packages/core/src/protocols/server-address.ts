/** A server's base address, taken apart. */
export interface ServerAddress {
  /** Scheme, host and port, without credentials. */
  readonly origin: string;
  /** What comes before every path: empty, or begins with a slash and does not end with one. */
  readonly prefix: string;
  /** What every request carries: `authorization`, when the address has credentials, and no wish for compression. */
  readonly headers: Readonly<Record<string, string>>;
}

/** More servers than a gateway has. */
const MOST_KEPT = 1_000;

/** What addresses came to: each is asked for by every call. */
const kept = new Map<string, ServerAddress>();

/** Takes `url` apart. `undefined` when it is not an address that can be called. */
export function parseServerAddress(url: string): ServerAddress | undefined {
  const known = kept.get(url);
  if (known !== undefined) return known;
  if (kept.size >= MOST_KEPT) kept.clear();
  const address = parse(url);
  if (address !== undefined) kept.set(url, address);
  return address;
}

function parse(url: string): ServerAddress | undefined {
  if (!URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") return undefined;
  const authorization = basicAuthorization(parsed);
  if (authorization === null) return undefined;
  return {
    origin: parsed.origin,
    prefix: parsed.pathname.replace(/\/+$/, ""),
    headers: { "accept-encoding": "identity", ...(authorization === undefined ? {} : { authorization }) },
  };
}

function basicAuthorization(url: URL): string | undefined | null {
  if (url.username === "" && url.password === "") return undefined;
  try {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    return `Basic ${Buffer.from(pair, "utf8").toString("base64")}`;
  } catch {
    return null;
  }
}
