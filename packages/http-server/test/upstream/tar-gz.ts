import { gzipSync } from "node:zlib";

const BLOCK = 512;

/** A gzipped tarball of one file, as small as the format allows. */
export function tarGz(name: string, content: string): Buffer {
  const bytes = Buffer.from(content);
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0);
  header.write("0000644\0", 100);
  header.write(`${bytes.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("        0ustar\x0000", 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const padding = Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK);
  return gzipSync(Buffer.concat([header, bytes, padding, Buffer.alloc(2 * BLOCK)]));
}
