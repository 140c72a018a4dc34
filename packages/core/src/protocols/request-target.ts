/**
 * `path` and `query` as they stand in the request line. The query is not parsed and not ordered anew: only what
 * cannot stand in a request line (spaces, controls, `#`, anything beyond ASCII) is percent-encoded as UTF-8.
 */
export function requestTarget(path: string, query: string): string {
  return query === "" ? path : `${path}?${query.replace(/[^\x21\x22\x24-\x7e]+/g, percentEncode)}`;
}

/** `query` with one parameter `name`; every other pair stays as it is, and where it is. */
export function withQueryParameter(query: string, name: string, value: string): string {
  const others = query.split("&").filter((pair) => pair !== "" && nameOf(pair) !== name);
  return [...others, `${name}=${encodeURIComponent(value)}`].join("&");
}

function nameOf(pair: string): string {
  const end = pair.indexOf("=");
  const raw = (end === -1 ? pair : pair.slice(0, end)).replaceAll("+", " ");
  try {
    return decodeURIComponent(raw);
  } catch {
    return raw;
  }
}

function percentEncode(text: string): string {
  return Array.from(
    new TextEncoder().encode(text),
    (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
  ).join("");
}
