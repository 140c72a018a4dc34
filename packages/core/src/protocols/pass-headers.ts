import type { HeaderList } from "../contracts/server-protocol.ts";
import { GatewayError } from "../errors.ts";

/**
 * Headers that are about one connection (RFC 9110, 7.6.1) or that this side writes itself. `expect` is answered by
 * whoever has the caller's connection.
 */
const LEFT_OUT: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * What goes to a server, name and value by turns: the caller's headers in their order without those of its connection.
 * Throws `INVALID_REQUEST` for what cannot be written as a header.
 */
export function requestHeaders(given: HeaderList): readonly string[] {
  const named = namedByConnection(given);
  const sent: string[] = [];
  for (const [name, value] of given) {
    if (!TOKEN.test(name)) throw invalid(JSON.stringify(name.slice(0, 64)), "name");
    if (!VALUE.test(value)) throw invalid(JSON.stringify(name), "value");
    if (!isLeftOut(name.toLowerCase(), named)) sent.push(name, value);
  }
  return sent;
}

/** Adds headers of ours that the caller did not give; of two of the same name the later. */
export function withOwn(
  sent: readonly string[],
  ...own: readonly Readonly<Record<string, string>>[]
): readonly string[] {
  const added = Object.entries(Object.assign({}, ...own) as Record<string, string>);
  if (added.length === 0) return sent;
  return [...sent, ...added.filter(([name]) => !hasHeader(sent, name)).flat()];
}

/** Whether there is a header of this name, in small letters. */
export function hasHeader(sent: readonly string[], name: string): boolean {
  for (let at = 0; at < sent.length; at += 2) if (sent[at]?.toLowerCase() === name) return true;
  return false;
}

/** What a server answered, without what is about its connection; from names and values by turns. */
export function answerHeaders(raw: readonly (string | Uint8Array)[]): HeaderList {
  const all: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) all.push([latin1(raw[at]), latin1(raw[at + 1])]);
  const named = namedByConnection(all);
  return all.filter(([name]) => !isLeftOut(name.toLowerCase(), named));
}

/** The first header of this name. */
export function headerIn(headers: HeaderList, name: string): string | undefined {
  for (const [each, value] of headers) if (each.toLowerCase() === name) return value;
  return undefined;
}

function isLeftOut(name: string, named: ReadonlySet<string> | undefined): boolean {
  return LEFT_OUT.has(name) || name.startsWith("proxy-") || named?.has(name) === true;
}

/** Names that a `connection` header declares to be about that connection, too. */
function namedByConnection(headers: HeaderList): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined;
  for (const [name, value] of headers) {
    if (name.length !== "connection".length || name.toLowerCase() !== "connection") continue;
    named ??= new Set();
    for (const each of value.split(",")) named.add(each.trim().toLowerCase());
  }
  return named;
}

// Bytes of a header are no text of a known encoding; latin1 keeps each of them.
function latin1(text: string | Uint8Array | undefined): string {
  if (text === undefined || typeof text === "string") return text ?? "";
  return Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString("latin1");
}

function invalid(header: string, part: "name" | "value"): GatewayError {
  return new GatewayError(
    "INVALID_REQUEST",
    `the header ${header} has a ${part} that HTTP does not allow; leave it out`,
    { details: { field: "headers" } },
  );
}
