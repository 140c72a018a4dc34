/** One answer on a connection. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/**
 * The answers that a connection gave, and what is wrong with the bytes as answers of HTTP. The last may be cut off. An
 * answer to HEAD announces a body that does not come; none of ours begins as an answer does, so that it can be told.
 */
export function readAnswers(bytes: Buffer): {
  answers: RawAnswer[];
  flaw: string | undefined;
  isCut: boolean;
} {
  const answers: RawAnswer[] = [];
  let at = 0;
  while (at < bytes.byteLength) {
    const end = bytes.indexOf("\r\n\r\n", at);
    if (end === -1) return { answers, flaw: undefined, isCut: true };
    const [first = "", ...lines] = bytes.toString("latin1", at, end).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1]);
    if (Number.isNaN(status))
      return { answers, flaw: `no status line: ${JSON.stringify(first)}`, isCut: false };
    const headers = new Map(lines.map((line) => splitHeader(line)));
    at = end + 4;
    if (status < 200) continue;
    const isNext = bytes.toString("latin1", at, at + 9) === "HTTP/1.1 ";
    const isBodiless = status === 204 || status === 304 || isNext || at === bytes.byteLength;
    const read = isBodiless ? { body: Buffer.alloc(0), end: at } : readBody(bytes, at, headers);
    if (read === undefined) return { answers, flaw: undefined, isCut: true };
    answers.push({ status, headers, body: read.body });
    at = read.end;
  }
  return { answers, flaw: undefined, isCut: false };
}

function splitHeader(line: string): [string, string] {
  const at = line.indexOf(":");
  return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
}

function readBody(
  bytes: Buffer,
  at: number,
  headers: ReadonlyMap<string, string>,
): { body: Buffer; end: number } | undefined {
  const length = headers.get("content-length");
  if (length !== undefined) {
    const end = at + Number(length);
    return end > bytes.byteLength ? undefined : { body: bytes.subarray(at, end), end };
  }
  const chunks: Buffer[] = [];
  for (let from = at; ; ) {
    const line = bytes.indexOf("\r\n", from);
    if (line === -1) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", from, line), 16);
    if (line + 2 + size + 2 > bytes.byteLength) return undefined;
    chunks.push(bytes.subarray(line + 2, line + 2 + size));
    from = line + 2 + size + 2;
    if (size === 0) return { body: Buffer.concat(chunks), end: from };
  }
}
