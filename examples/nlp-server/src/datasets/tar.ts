import { gunzipSync } from "node:zlib";
import type { PackedFile } from "./unpack.ts";

const blockSize = 512;

/** Reads a gzipped tarball: regular files, with long names in the two ways that tar has for them. */
export function* readTarGz(gzipped: Buffer, mostBytes: number): Generator<PackedFile> {
  const bytes = gunzipSync(gzipped, { maxOutputLength: mostBytes });
  let longName: string | undefined;
  for (let at = 0; at + blockSize <= bytes.length && bytes[at] !== 0; ) {
    const header = bytes.subarray(at, at + blockSize);
    const size = Number.parseInt(textOf(header, 124, 12).trim() || "0", 8);
    if (!Number.isSafeInteger(size)) throw new RangeError("A header is broken.");
    const kind = String.fromCharCode(header[156] ?? 0);
    const content = bytes.subarray(at + blockSize, at + blockSize + size);
    at += blockSize + Math.ceil(size / blockSize) * blockSize;
    if (kind === "L") longName = textOf(content, 0, content.length);
    else if (kind === "x") longName = /\d+ path=([^\n]*)\n/.exec(content.toString("utf8"))?.[1] ?? longName;
    else {
      const prefix = textOf(header, 257, 5) === "ustar" ? textOf(header, 345, 155) : "";
      const name = longName ?? [prefix, textOf(header, 0, 100)].filter((part) => part !== "").join("/");
      longName = undefined;
      if (kind === "0" || kind === "\0") yield { name, bytes: content };
    }
  }
}

function textOf(bytes: Buffer, start: number, length: number): string {
  return bytes.toString("utf8", start, start + length).split("\0", 1)[0] ?? "";
}
