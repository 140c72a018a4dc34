/** Bytes that something on the way might take for text, or for nothing. */
export const BYTE_SAMPLES: ReadonlyMap<string, Uint8Array> = new Map([
  ["every byte value", Uint8Array.from({ length: 256 }, (_, at) => at)],
  ["no bytes", new Uint8Array()],
  ["text that is not UTF-8", new Uint8Array([0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0x00, 0x80])],
  ["a byte order mark", new Uint8Array([0xef, 0xbb, 0xbf, 0x61, 0x0d, 0x0a])],
  ["32 KiB", Uint8Array.from({ length: 32 * 1024 }, (_, at) => (at * 31 + (at >> 8)) & 0xff)],
]);

/** A text with everything that quoting, patterns and encodings stumble over. */
export const ODD_TEXT =
  'it\'s "x" `y` \\n %s 100% _ ; -- /* {1} \u0024{2} <b> \t\r\n \u00e9 e\u0301 \u6f22\u5b57 \u{1f600} \u202e';

/** Names that differ only in what a careless comparison drops. */
export const NEAR_NAMES: readonly string[] = [
  "name",
  "Name",
  "name ",
  " name",
  "nam\u00e9",
  "name\u0301",
  "nam_",
  "nam%",
  "name'",
];
