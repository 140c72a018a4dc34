import { describe, expect, it } from "vitest";
import { JsonChecker } from "../../src/checks/json-checker.ts";
import { JsonFault } from "../../src/checks/json-fault.ts";
import { piecesOf, randomOf } from "../support/random.ts";

/** What the checker says of bytes in these pieces: nothing, or what is wrong and where. */
function verdict(pieces: readonly Uint8Array[], lines = false): string | undefined {
  const checker = new JsonChecker({ lines });
  try {
    for (const piece of pieces) checker.push(piece);
    checker.end();
    return undefined;
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    const { line, column, offset } = error.place;
    return `${line}:${column}@${offset} ${error.message}`;
  }
}

function whole(text: string | Uint8Array, lines = false): string | undefined {
  return verdict([Buffer.from(text)], lines);
}

function bytewise(text: string | Uint8Array, lines = false): string | undefined {
  return verdict(
    Array.from(Buffer.from(text), (byte) => Uint8Array.of(byte)),
    lines,
  );
}

describe("a JSON document", () => {
  it.each([
    "{}",
    "[]",
    " \t\r\n[ ] \n",
    "0",
    "-0",
    "-12.5e+10",
    "1E5",
    "0.00e-0",
    "12345678901234567890123.000000000000000000001",
    '"é\u2028\u{1f600}\x7f"',
    '"\\u00e9\\ud800\\"\\\\\\/\\b\\f\\n\\r\\t"',
    '{"a":1,"a":[true,false,null,{"":""}]}',
    "[[[],{}],[],0]",
    "\ufeff[1]",
    "[NaN,Infinity,-Infinity]",
    "NaN",
  ])("is %j", (text) => {
    expect(whole(text)).toBeUndefined();
    expect(bytewise(text)).toBeUndefined();
  });

  it.each([
    ["", "1:1@0 it is empty"],
    [" \n ", "2:2@3 it is empty"],
    ["{", "1:2@1 it ends too early"],
    ['"a', "1:3@2 it ends too early"],
    ["-", "1:2@1 it ends too early"],
    ["1.", "1:3@2 it ends too early"],
    ["1e+", "1:4@3 it ends too early"],
    ["tru", "1:4@3 it ends too early"],
    ["\ufeff", "1:4@3 it is empty"],
    ["[1,]", "1:4@3 a value was expected"],
    ["[,1]", "1:2@1 a value was expected"],
    ["[1 2]", "1:4@3 a comma or ] was expected"],
    ['{"a":1]', "1:7@6 a comma or } was expected"],
    ["[1}", "1:3@2 a comma or ] was expected"],
    ['{"a" 1}', "1:6@5 a colon was expected"],
    ["{a:1}", "1:2@1 a key in quotes was expected"],
    ['{"a":1,}', "1:8@7 a key in quotes was expected"],
    ['{"a":}', "1:6@5 a value was expected"],
    ["01", "1:2@1 there is more in it than one value"],
    ["1 2", "1:3@2 there is more in it than one value"],
    ["]", "1:1@0 a value was expected"],
    ["{}\n}", "2:1@3 there is more in it than one value"],
    ["+1", "1:1@0 a value was expected"],
    [".5", "1:1@0 a value was expected"],
    ["1.e5", "1:3@2 a digit was expected"],
    ["1e5.0", "1:4@3 there is more in it than one value"],
    ["--1", "1:2@1 a digit was expected"],
    ["-N", "1:2@1 a digit was expected"],
    ["trux", "1:4@3 a value was expected"],
    ["nan", "1:2@1 a value was expected"],
    ["True", "1:1@0 a value was expected"],
    ["'a'", "1:1@0 a value was expected"],
    ['"\\x"', "1:3@2 there is no such escape in a string"],
    ['"\\u00g0"', "1:6@5 four hexadecimal digits must follow \\u"],
    ['"a\nb"', "1:3@2 a control character must be escaped in a string"],
    ['[\n\n  "a",\n  b]', "4:3@12 a value was expected"],
    ["[1]\ufeff", "1:4@3 there is more in it than one value"],
    [" \ufeff[1]", "1:2@1 a value was expected"],
  ])("is not %j", (text, expected) => {
    expect(whole(text)).toBe(expected);
    expect(bytewise(text)).toBe(expected);
  });

  it.each([
    [Buffer.from('["Größe"]', "latin1"), "1:5@4 it is not UTF-8"],
    [Buffer.from([0x22, 0xc0, 0x80, 0x22]), "1:2@1 it is not UTF-8"],
    [Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), "1:2@1 it is not UTF-8"],
    [Buffer.from([0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]), "1:2@1 it is not UTF-8"],
    [Buffer.from([0x22, 0xe2, 0x82]), "1:4@3 it is not UTF-8"],
    [Buffer.from('["a"]', "utf16le"), "1:2@1 it is not UTF-8"],
    [Buffer.from('\ufeff["a"]', "utf16le"), "1:1@0 it is not UTF-8"],
    [Buffer.from([0, 0x5b, 0, 0x5d]), "1:1@0 it is not UTF-8"],
  ])("is in UTF-8, which %j is not", (bytes, expected) => {
    expect(whole(bytes)).toBe(expected);
  });

  it("is nested no more than a thousand levels deep", () => {
    const nested = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`;
    expect(whole(nested(1000))).toBeUndefined();
    expect(whole(nested(1001))).toBe("1:1001@1000 it is nested more than 1000 levels deep");
    expect(bytewise('{"":'.repeat(1001))).toBe("1:4001@4000 it is nested more than 1000 levels deep");
  });

  it("is what JSON.parse takes, over thousands of mutated documents in random pieces", () => {
    const random = randomOf(20_261_121);
    const alphabet = Buffer.from('[]{}:,"\\0123456789.eE+-truefalsn u \n\té\u0000/');
    const seeds = [
      '{"a":[1,-2.5e3,true,null],"é\\n":{"x":"\\u12aF😀"}}',
      '[[],{},"",0,-0.0,1e9,false,[["a"]]]',
      ' {"name" : "note", "text":"Größe" } ',
      "-12.0e-5",
    ].map((text) => Buffer.from(text));
    let refused = 0;
    for (let round = 0; round < 20_000; round += 1) {
      const bytes = Buffer.from(seeds[round % seeds.length] as Buffer);
      for (let count = Math.floor(random() * 3); count >= 0; count -= 1) {
        bytes[Math.floor(random() * bytes.byteLength)] = alphabet[
          Math.floor(random() * alphabet.byteLength)
        ] as number;
      }
      const cut = bytes.subarray(0, bytes.byteLength - (random() < 0.1 ? Math.floor(random() * 6) : 0));
      const said = verdict(piecesOf(cut, random));
      expect(said === undefined, `${JSON.stringify(cut.toString())}: ${said}`).toBe(parses(cut));
      if (said !== undefined) refused += 1;
    }
    expect(refused).toBeGreaterThan(5_000);
    expect(refused).toBeLessThan(19_000);
  });
});

/** JSON.parse on nothing but UTF-8; it knows no byte order mark either, and none comes. */
function parses(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}

describe("lines of JSON", () => {
  it.each(["", "\n", "\r\n\n", "{}", "{}\n", '{"a":1}\r\n[]\n\n 1 \nnull', "NaN\n-Infinity\n"])(
    "are %j",
    (text) => {
      expect(whole(text, true)).toBeUndefined();
      expect(bytewise(text, true)).toBeUndefined();
    },
  );

  it.each([
    ["{}\n{\n}", "2:2@4 the line ends too early"],
    ["{}\n{}\n[1,\n2]", "3:4@9 the line ends too early"],
    ["{} {}", "1:4@3 there is more on the line than one value"],
    ['{"a":1}\n{"a":tru}', "2:9@16 a value was expected"],
    ["1\n2\n3,", "3:2@5 there is more on the line than one value"],
    ['{}\n"a', "2:3@5 it ends too early"],
    ['{}\n"a\n"', "2:3@5 a control character must be escaped in a string"],
    ["{}\n-\n", "2:2@4 a digit was expected"],
    ["\ufeff{}", "1:1@0 a value was expected"],
  ])("are not %j", (text, expected) => {
    expect(whole(text, true)).toBe(expected);
    expect(bytewise(text, true)).toBe(expected);
  });
});
