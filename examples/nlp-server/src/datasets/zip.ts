import { inflateRawSync } from "node:zlib";
import type { PackedFile } from "./unpack.ts";

const endSignature = 0x06054b50;
const entrySignature = 0x02014b50;
const endLength = 22;
const longestComment = 0xffff;

/** Reads a ZIP archive by its directory; archives over 4 GB and encrypted ones are beyond it. */
export function* readZip(bytes: Buffer, mostBytes: number): Generator<PackedFile> {
  let at = endOf(bytes);
  const entries = bytes.readUInt16LE(at + 10);
  at = bytes.readUInt32LE(at + 16);
  let left = mostBytes;
  for (let entry = 0; entry < entries; entry += 1) {
    if (bytes.readUInt32LE(at) !== entrySignature) throw new RangeError("The directory is broken.");
    const method = bytes.readUInt16LE(at + 10);
    const packed = bytes.readUInt32LE(at + 20);
    const nameLength = bytes.readUInt16LE(at + 28);
    const name = bytes.toString("utf8", at + 46, at + 46 + nameLength);
    const header = bytes.readUInt32LE(at + 42);
    const start = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
    const content = bytes.subarray(start, start + packed);
    if (method !== 0 && method !== 8) throw new RangeError("A file is packed in an unknown way.");
    // The limit keeps a few bytes from unpacking to more than there is room for.
    const unpacked = method === 8 ? inflateRawSync(content, { maxOutputLength: Math.max(1, left) }) : content;
    left -= unpacked.length;
    if (!name.endsWith("/")) yield { name, bytes: unpacked };
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
}

function endOf(bytes: Buffer): number {
  for (
    let at = bytes.length - endLength;
    at >= Math.max(0, bytes.length - endLength - longestComment);
    at -= 1
  ) {
    if (bytes.readUInt32LE(at) === endSignature) return at;
  }
  throw new RangeError("The directory is not there.");
}
