import { Busboy } from "@fastify/busboy";
import { describe, expect, it } from "vitest";
import { MultipartChecker } from "../../src/checks/multipart-checker.ts";
import { MultipartFault } from "../../src/checks/multipart-fault.ts";
import { formBody, type Part } from "../support/forms.ts";
import { piecesOf, randomOf } from "../support/random.ts";

function verdict(boundary: string, pieces: readonly Uint8Array[]): string | undefined {
  const checker = new MultipartChecker(boundary);
  try {
    for (const piece of pieces) checker.push(piece);
    checker.end();
    return undefined;
  } catch (error) {
    if (!(error instanceof MultipartFault)) throw error;
    return error.field === undefined ? error.message : `[${error.field}] ${error.message}`;
  }
}

/** The same verdict, however the bytes are cut in two and in single bytes. */
function said(text: string | Uint8Array, boundary = "b"): string | undefined {
  const bytes = Buffer.from(text);
  const expected = verdict(boundary, [bytes]);
  for (let at = 0; at <= bytes.byteLength; at += 1) {
    expect(verdict(boundary, [bytes.subarray(0, at), bytes.subarray(at)]), `cut at ${at}`).toBe(expected);
  }
  expect(
    verdict(
      boundary,
      Array.from(bytes, (byte) => Uint8Array.of(byte)),
    ),
  ).toBe(expected);
  return expected;
}

const head = 'Content-Disposition: form-data; name="a"; filename="x.txt"';
const part = `--b\r\n${head}\r\nContent-Type: text/plain\r\n\r\nhello\r\n`;
const good = `${part}--b--\r\n`;
const named = (parameters: string): string => good.replace('name="a"; filename="x.txt"', parameters);

describe("a multipart body", () => {
  it.each([
    ["one part", good],
    ["no line end after its last boundary", good.slice(0, -2)],
    ["an epilogue", `${good}anything\r\n--b\r\n`],
    ["line ends before its first boundary", `\r\n${good}`],
    ["spaces after boundaries", good.replace("--b\r\n", "--b \t \r\n")],
    ["no parts", "--b--"],
    ["nothing at all", ""],
    ["an empty part", part.replace("hello", "") + good],
    [
      "content that looks like boundaries",
      good.replace("hello", "\r\n--\r\n--bb\r\n\r\n--b x\r\n--b-\r\r\n--"),
    ],
    ["many parts of one name", part.repeat(30) + good],
    ["a name in plain words", named("name=a")],
    ["a semicolon at the end", named('name="a";')],
    ["quotes and backslashes in a name", named('name="a\\"b\\\\c"; filename="C:\\\\d\\\\x..y"')],
    ["names that are not ASCII", named('name="Größe"; filename="ü/ö..txt"')],
    ["an extended file name", named("name=\"a\"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20.txt")],
    ["an empty name", named('name=""')],
  ])("may have %s", (_what, text) => {
    expect(said(text)).toBeUndefined();
  });

  it("may be of any bytes, with any boundary", () => {
    const content = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const boundary = "=_(x y)'?:+,-./";
    expect(said(formBody(boundary, [{ name: "a", filename: "b", content }]), boundary)).toBeUndefined();
  });

  it.each([
    ["its last boundary", part, "it ends in part 1, before its closing boundary"],
    ["half of its last boundary", `${part}--b-`, "it ends in part 1, before its closing boundary"],
    ["its last boundary's end", `${part}--b`, "it ends in part 1, before its closing boundary"],
    ["the rest of a head", good.slice(0, 40), "it ends in part 1, before its closing boundary"],
    ["everything but a boundary", "--b\r\n", "it ends in part 1, before its closing boundary"],
    ["most of its first boundary", "--", "it does not begin with the boundary that its content type names"],
    [
      "its boundary",
      good.replaceAll("--b", "--c"),
      "it does not begin with the boundary that its content type names",
    ],
    [
      "a boundary at its beginning",
      `x${good}`,
      "it does not begin with the boundary that its content type names",
    ],
    [
      "line ends of two characters",
      good.replaceAll("\r\n", "\n"),
      "it does not begin with the boundary that its content type names",
    ],
    ["a name", named("filename=x"), "part 1 has no name"],
    [
      "a head",
      good.replace(`${head}\r\nContent-Type: text/plain\r\n`, ""),
      "part 1 has no Content-Disposition header",
    ],
    ["a disposition", part + good.replace(`${head}\r\n`, ""), "part 2 has no Content-Disposition header"],
    [
      "a colon in a header",
      good.replace("Content-Type: ", "Content-Type "),
      "the head of part 1 has a line that is no header",
    ],
    [
      "a header's name",
      good.replace("Content-Type: ", ": "),
      "the head of part 1 has a line that is no header",
    ],
    [
      "form data",
      good.replace("form-data", "attachment"),
      "the Content-Disposition header of part 1 is malformed",
    ],
    ["a closing quote", named('name="a'), "the Content-Disposition header of part 1 is malformed"],
    ["one name only", named("name=a; NAME=b"), "the Content-Disposition header of part 1 is malformed"],
    [
      "one disposition only",
      good.replace(head, `${head}\r\n${head}`),
      "part 1 has two Content-Disposition headers",
    ],
    [
      "a readable extended name",
      named("name=a; filename*=UTF-8''%ff"),
      "the file name of part 1 is not encoded as RFC 8187 says",
    ],
    [
      "printable headers",
      good.replace("text/plain", "text/pl\0ain"),
      "a header of part 1 has a control character",
    ],
  ])("must not be without %s", (_what, text, expected) => {
    expect(said(text)).toBe(expected);
  });

  it.each([
    ['name="a"; filename="../x"', '[a] the file name of part 1 has a ".." as a part of its path'],
    ['name="a"; filename="x/../y"', '[a] the file name of part 1 has a ".." as a part of its path'],
    ['name="a"; filename="x\\\\..\\\\y"', '[a] the file name of part 1 has a ".." as a part of its path'],
    ['name="a"; filename=".."', '[a] the file name of part 1 has a ".." as a part of its path'],
    ["name=a; filename*=utf-8''%2e%2E%2fx", '[a] the file name of part 1 has a ".." as a part of its path'],
    ['name="a/.."', '[part 1] the name of part 1 has a ".." as a part of its path'],
    ['name="a"; filename="x\0.txt"', "[a] the file name of part 1 has a control character"],
    ['name="a"; filename="x\n.txt"', "[a] the file name of part 1 has a control character"],
    ["name=a; filename*=utf-8''x%00", "[a] the file name of part 1 has a control character"],
    ['name="a\x7f"', "[part 1] the name of part 1 has a control character"],
  ])("must not have the names %j", (parameters, expected) => {
    expect(said(named(parameters))).toBe(expected);
  });

  it("must not have a part with a head of more than eight kilobytes, and holds no more of it", () => {
    const long = (size: number): string => `--b\r\nx: ${"y".repeat(size)}`;
    expect(verdict("b", [Buffer.from(long(8_000))])).toContain("it ends in part 1");
    expect(verdict("b", [Buffer.from(long(9_000))])).toBe("the head of part 1 is larger than 8192 bytes");
    const spaces = `--b\r\n${"x: ".padEnd(8_000)}y\r\n${head}${" ".repeat(100)}\r\n\r\n`;
    const begun = performance.now();
    expect(verdict("b", [Buffer.from(`${spaces}\r\n`.repeat(50).concat("--b--"))])).toBeUndefined();
    expect(performance.now() - begun).toBeLessThan(500);
  });

  it("has the parts that another reader finds, over many random forms in random pieces", async () => {
    const random = randomOf(1_121);
    for (let round = 0; round < 300; round += 1) {
      const boundary = `--b${round}`;
      const parts = Array.from({ length: Math.floor(random() * 6) }, () => randomPart(random, boundary));
      const body = formBody(boundary, parts);
      const pieces = piecesOf(body, random, 40);
      expect(verdict(boundary, pieces)).toBeUndefined();
      expect(await partsByBusboy(boundary, body)).toBe(parts.length);
      const cut = body.subarray(0, Math.floor(random() * (body.byteLength - 4)));
      if (cut.byteLength > 0) expect(verdict(boundary, piecesOf(cut, random, 40))).toBeDefined();
    }
  });
});

function randomPart(random: () => number, boundary: string): Part {
  const bits = ["\r\n", "--", boundary, `\r\n--${boundary.slice(0, -1)}`, "x", "\r", "\n", "\0", "é", " "];
  const content = Array.from(
    { length: Math.floor(random() * 12) },
    () => bits[Math.floor(random() * bits.length)],
  );
  // What begins a line as a boundary does must not be in a form; readers differ in what they make of it.
  const isForm = !`\r\n${content.join("")}`.includes(`\r\n--${boundary}`);
  const text = isForm ? content.join("") : "";
  return {
    name: `n${Math.floor(random() * 3)}`,
    content: text,
    ...(random() < 0.5 && { filename: "f.txt" }),
  };
}

function partsByBusboy(boundary: string, body: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    const reader = new Busboy({ headers: { "content-type": `multipart/form-data; boundary="${boundary}"` } });
    reader.on("file", (_name, file) => {
      count += 1;
      file.resume();
    });
    reader.on("field", () => {
      count += 1;
    });
    reader.on("error", reject);
    reader.on("finish", () => resolve(count));
    reader.end(body);
  });
}
