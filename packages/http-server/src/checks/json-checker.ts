import { JsonFault } from "./json-fault.ts";
import { Utf8Checker } from "./utf8-checker.ts";

/** Deeper nesting is refused: what reads it on a model server (Python, by recursion) gives up at about this. */
const MAX_DEPTH = 1_000;

// The states. Each says what may come next.
const START = 0;
const VALUE = 1;
const FIRST_ITEM = 2;
const KEY = 3;
const FIRST_KEY = 4;
const COLON = 5;
const AFTER = 6;
const STRING = 7;
const ESCAPE = 8;
const HEX = 9;
const LITERAL = 10;
const MINUS = 11;
const ZERO = 12;
const WHOLE = 13;
const POINT = 14;
const FRACTION = 15;
const EXPONENT = 16;
const SIGNED_EXPONENT = 17;
const POWER = 18;
const MARK = 19;

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS_SIGN = 0x2d;
const COLON_SIGN = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** Literals by their first byte. Python's `json` writes and reads the last two, so that its servers and clients do. */
const LITERALS: Readonly<Record<number, Uint8Array>> = Object.fromEntries(
  ["true", "false", "null", "NaN", "Infinity"].map((text) => [text.charCodeAt(0), Buffer.from(text)]),
);

const NOTHING = new Uint8Array();

/** What stands for itself in a string; that it is UTF-8 is seen to apart from this. */
const isPlain = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= SPACE && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0,
);
const isEscape = Uint8Array.from({ length: 256 }, (_, byte) =>
  '"\\/bfnrt'.includes(String.fromCharCode(byte)) ? 1 : 0,
);

/**
 * Tells whether bytes that come in pieces are JSON in UTF-8, and where they are not. Nothing is kept but the state and
 * one byte for each level of nesting. With `lines` it is NDJSON: one value on each line, and lines may be empty.
 */
export class JsonChecker {
  readonly #lines: boolean;
  readonly #utf8 = new Utf8Checker();
  #state = START;
  /** What follows the string that is being read: a colon after a key, else what follows a value. */
  #afterString = AFTER;
  #depth = 0;
  /** By depth: 1 for an object, 0 for a list. */
  readonly #isObject = Buffer.allocUnsafe(MAX_DEPTH + 1);
  #literal: Uint8Array = NOTHING;
  /** Digits that are missing of an escape, or bytes that were met of a literal or of a mark. */
  #count = 0;
  /** Bytes before this piece, and where in all of them the current line began. */
  #offset = 0;
  #line = 1;
  #lineOffset = 0;

  constructor(options: { readonly lines: boolean }) {
    this.#lines = options.lines;
  }

  /** Throws a `JsonFault` at the first byte that cannot stand where it stands. */
  push(chunk: Uint8Array): void {
    const bad = this.#utf8.push(chunk);
    if (bad === undefined) this.#read(chunk);
    else {
      // What stands before it may be wrong already.
      this.#read(chunk.subarray(0, Math.max(0, bad)));
      throw this.#notUtf8(Math.min(0, bad));
    }
  }

  /** Throws a `JsonFault` when what came is no whole document. */
  end(): void {
    if (!this.#utf8.isComplete) throw this.#notUtf8(0);
    if (this.#depth === 0 && isValueEnd(this.#state)) return;
    if (this.#state === START && this.#lines) return;
    throw this.#fault(0, this.#state === START ? "it is empty" : "it ends too early");
  }

  /** One loop without calls on its way: it sees every byte of every upload. */
  #read(chunk: Uint8Array): void {
    const end = chunk.byteLength;
    const isObject = this.#isObject;
    let state = this.#state;
    let depth = this.#depth;
    let at = 0;
    while (at < end) {
      const byte = chunk[at] as number;
      switch (state) {
        case STRING:
          if (isPlain[byte] === 1) {
            do at += 1;
            while (at < end && isPlain[chunk[at] as number] === 1);
            continue;
          }
          if (byte === QUOTE) state = this.#afterString;
          else if (byte === BACKSLASH) {
            state = ESCAPE;
            // Its two bytes mostly come together.
            if (at + 1 < end && isEscape[chunk[at + 1] as number] === 1) {
              state = STRING;
              at += 1;
            }
          } else throw this.#fault(at, "a control character must be escaped in a string");
          break;
        case AFTER:
          if (byte === COMMA && depth > 0) state = isObject[depth] === 1 ? KEY : VALUE;
          else if (depth > 0 && byte === (isObject[depth] === 1 ? CLOSE_OBJECT : CLOSE_LIST)) depth -= 1;
          else if (byte === NEWLINE) state = this.#newline(state, depth, at);
          else if (!isSpace(byte)) throw this.#notAfterValue(depth, at);
          break;
        case KEY:
        case FIRST_KEY:
          if (byte === QUOTE) {
            this.#afterString = COLON;
            state = STRING;
          } else if (byte === NEWLINE) state = this.#newline(state, depth, at);
          else if (byte === CLOSE_OBJECT && state === FIRST_KEY) {
            depth -= 1;
            state = AFTER;
          } else if (!isSpace(byte)) throw this.#fault(at, "a key in quotes was expected");
          break;
        case COLON:
          if (byte === COLON_SIGN) state = VALUE;
          else if (byte === NEWLINE) state = this.#newline(state, depth, at);
          else if (!isSpace(byte)) throw this.#fault(at, "a colon was expected");
          break;
        case START:
        case VALUE:
        case FIRST_ITEM:
          if (byte === QUOTE) {
            this.#afterString = AFTER;
            state = STRING;
          } else if (byte === SPACE) break;
          else if (byte >= 0x31 && byte <= 0x39) state = WHOLE;
          else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
            if (depth === MAX_DEPTH) throw this.#fault(at, `it is nested more than ${MAX_DEPTH} levels deep`);
            depth += 1;
            isObject[depth] = byte === OPEN_OBJECT ? 1 : 0;
            state = byte === OPEN_OBJECT ? FIRST_KEY : FIRST_ITEM;
          } else if (byte === CLOSE_LIST && state === FIRST_ITEM) {
            depth -= 1;
            state = AFTER;
          } else if (byte === NEWLINE) state = this.#newline(state, depth, at);
          else if (!isSpace(byte)) state = this.#beginOther(state, byte, at);
          break;
        case WHOLE:
        case FRACTION:
        case POWER:
        case ZERO:
          if (isDigit(byte) && state !== ZERO) {
            do at += 1;
            while (at < end && isDigit(chunk[at] as number));
            continue;
          }
          if (byte === 0x2e && (state === WHOLE || state === ZERO)) state = POINT;
          else if ((byte | 0x20) === 0x65 && state !== POWER) state = EXPONENT;
          else {
            // What ends a number belongs to what follows it.
            state = AFTER;
            continue;
          }
          break;
        case LITERAL: {
          const literal = this.#literal;
          let count = this.#count;
          do {
            if (chunk[at] !== literal[count]) throw this.#fault(at, "a value was expected");
            count += 1;
            at += 1;
          } while (at < end && count < literal.byteLength);
          this.#count = count;
          if (count === literal.byteLength) state = AFTER;
          continue;
        }
        case ESCAPE:
          if (isEscape[byte] === 1) state = STRING;
          else if (byte === 0x75) {
            state = HEX;
            this.#count = 4;
          } else throw this.#fault(at, "there is no such escape in a string");
          break;
        case HEX:
          if (!isHex(byte)) throw this.#fault(at, "four hexadecimal digits must follow \\u");
          this.#count -= 1;
          if (this.#count === 0) state = STRING;
          break;
        case MARK:
          if (byte !== BYTE_ORDER_MARK[this.#count]) throw this.#fault(at, "a value was expected");
          this.#count += 1;
          if (this.#count === BYTE_ORDER_MARK.length) state = START;
          break;
        default:
          state = this.#digitAfter(state, byte, at);
      }
      at += 1;
    }
    this.#state = state;
    this.#depth = depth;
    this.#offset += end;
  }

  /** The beginnings of values that are rare: zeros, negative numbers, literals. */
  #beginOther(state: number, byte: number, at: number): number {
    if (byte === 0x30) return ZERO;
    if (byte === MINUS_SIGN) return MINUS;
    const literal = LITERALS[byte];
    if (literal !== undefined) {
      this.#literal = literal;
      this.#count = 1;
      return LITERAL;
    }
    if (state === START && byte === BYTE_ORDER_MARK[0] && this.#offset + at === 0 && !this.#lines) {
      this.#count = 1;
      return MARK;
    }
    // UTF-16 and UTF-32 without a mark are valid UTF-8, full of these.
    if (byte === 0) throw this.#notUtf8(at);
    throw this.#fault(at, "a value was expected");
  }

  /** A number goes on with a digit; where it may, with a sign or with Python's `-Infinity`. */
  #digitAfter(state: number, byte: number, at: number): number {
    if (isDigit(byte)) {
      if (state === MINUS) return byte === 0x30 ? ZERO : WHOLE;
      return state === POINT ? FRACTION : POWER;
    }
    if (state === EXPONENT && (byte === 0x2b || byte === MINUS_SIGN)) return SIGNED_EXPONENT;
    if (state === MINUS && byte === 0x49) return this.#beginOther(state, byte, at);
    throw this.#fault(at, "a digit was expected");
  }

  #newline(state: number, depth: number, at: number): number {
    const isBetween = state === START || (state === AFTER && depth === 0);
    if (this.#lines && !isBetween) throw this.#fault(at, "the line ends too early");
    this.#line += 1;
    this.#lineOffset = this.#offset + at + 1;
    return this.#lines ? START : state;
  }

  #notAfterValue(depth: number, at: number): JsonFault {
    if (depth > 0) {
      const close = this.#isObject[depth] === 1 ? "}" : "]";
      return this.#fault(at, `a comma or ${close} was expected`);
    }
    return this.#fault(at, `there is more ${this.#lines ? "on the line" : "in it"} than one value`);
  }

  #notUtf8(at: number): JsonFault {
    return this.#fault(at, "it is not UTF-8");
  }

  #fault(at: number, what: string): JsonFault {
    const offset = this.#offset + at;
    return new JsonFault(what, { line: this.#line, column: offset - this.#lineOffset + 1, offset });
  }
}

/** Whether a value is complete that ends here. */
function isValueEnd(state: number): boolean {
  return state === AFTER || state === WHOLE || state === ZERO || state === FRACTION || state === POWER;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === RETURN;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isHex(byte: number): boolean {
  return isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}
