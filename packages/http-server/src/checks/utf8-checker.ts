import { isUtf8 } from "node:buffer";

const NOTHING = new Uint8Array();

/** Tells whether bytes that come in pieces are UTF-8. A character that a piece breaks off is kept for the next one. */
export class Utf8Checker {
  #begun: Uint8Array = NOTHING;

  /** Where the first sequence that is not UTF-8 begins; negative when that was in the piece before. */
  push(chunk: Uint8Array): number | undefined {
    let from = 0;
    if (this.#begun.byteLength > 0) {
      const begun = this.#begun;
      from = lengthOf(begun[0] as number) - begun.byteLength;
      const character = Buffer.concat([begun, chunk.subarray(0, from)]);
      if (chunk.byteLength < from) {
        this.#begun = character;
        return undefined;
      }
      if (!isUtf8(character)) return -begun.byteLength;
      this.#begun = NOTHING;
    }
    const rest = chunk.subarray(from);
    const end = rest.byteLength - begunAtEnd(rest);
    if (!isUtf8(rest.subarray(0, end))) return from + firstBad(rest);
    // A copy: the piece itself may be large, and its memory is not ours.
    if (end < rest.byteLength) this.#begun = rest.slice(end);
    return undefined;
  }

  /** Whether no character is missing its end. */
  get isComplete(): boolean {
    return this.#begun.byteLength === 0;
  }
}

/** Bytes of the character that begins with `lead`; 1 for what begins none. */
function lengthOf(lead: number): number {
  if (lead < 0xc0 || lead > 0xf7) return 1;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/** How many bytes at the end belong to a character that is not complete. */
function begunAtEnd(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.byteLength; back += 1) {
    const byte = bytes[bytes.byteLength - back] as number;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return lengthOf(byte) > back ? back : 0;
  }
  return 0;
}

/** By halving: the native check says whether, not where. */
function firstBad(bytes: Uint8Array): number {
  let good = 0;
  let bad = bytes.byteLength;
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    const head = bytes.subarray(0, middle);
    if (isUtf8(head.subarray(0, middle - begunAtEnd(head)))) good = middle;
    else bad = middle;
  }
  return good - begunAtEnd(bytes.subarray(0, good));
}
