/** One part of a form, as it is to be written. */
export interface Part {
  readonly name: string;
  readonly filename?: string;
  readonly type?: string;
  readonly content: string | Uint8Array;
}

/** A multipart body, written plainly. */
export function formBody(boundary: string, parts: readonly Part[]): Buffer {
  const pieces: (string | Uint8Array)[] = [];
  for (const { name, filename, type, content } of parts) {
    pieces.push(`--${boundary}\r\ncontent-disposition: form-data; name="${name}"`);
    if (filename !== undefined) pieces.push(`; filename="${filename}"`);
    if (type !== undefined) pieces.push(`\r\nContent-Type: ${type}`);
    pieces.push("\r\n\r\n", content, "\r\n");
  }
  pieces.push(`--${boundary}--\r\n`);
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
}
