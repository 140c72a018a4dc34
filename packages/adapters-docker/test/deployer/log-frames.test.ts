import type { LogLine } from "@modelgate/core";
import { describe, expect, it } from "vitest";
import { logFrames, logLines } from "../../src/deployer/log-frames.ts";

const TEXT = "one\ntwo é 世界 😀\r\n\nlast";

function frame(stream: number, bytes: Buffer): Buffer {
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(bytes.byteLength, 4);
  return Buffer.concat([header, bytes]);
}

async function* chunksOf(bytes: Buffer, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes);
}

async function linesOf(
  bytes: Buffer,
  sizeBytes: number = 7,
  secrets: readonly string[] = [],
  longest?: number,
): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for await (const line of logLines(logFrames(chunksOf(bytes, sizeBytes)), secrets, longest))
    lines.push(line);
  return lines;
}

const textsOf = (lines: readonly LogLine[]): string[] => lines.map(({ text }) => text);

describe("the engine's log", () => {
  it("is the same however the network cuts it", async () => {
    const out = Buffer.from(TEXT);
    const bytes = Buffer.concat([
      // The engine, too, cuts characters.
      frame(1, out.subarray(0, 9)),
      frame(2, Buffer.from("err é")),
      frame(1, out.subarray(9)),
      frame(1, Buffer.alloc(0)),
      frame(2, Buffer.from("!\n")),
    ]);
    for (let sizeBytes = 1; sizeBytes <= bytes.byteLength; sizeBytes += 1) {
      const lines = await linesOf(bytes, sizeBytes);
      expect(textsOf(lines.filter(({ stream }) => stream === "stdout"))).toEqual([
        "one",
        "two é 世界 😀",
        "",
        "last",
      ]);
      expect(textsOf(lines.filter(({ stream }) => stream === "stderr"))).toEqual(["err é!"]);
    }
  });

  it("is handed on as it comes: a line is told before its piece has ended", async () => {
    let isRead = false;
    const all = frame(1, Buffer.from(`first\n${"x".repeat(100)}`));
    const lines = logLines(
      logFrames(
        (async function* () {
          yield all.subarray(0, 20);
          isRead = true;
          yield all.subarray(20);
        })(),
      ),
      [],
    );
    expect((await lines.next()).value?.text).toBe("first");
    expect(isRead).toBe(false);
  });

  it("gives a line without an end in pieces, and never half a character", async () => {
    const text = "😀".repeat(100);
    const pieces = textsOf(await linesOf(frame(1, Buffer.from(text)), 50, [], 33));
    expect(pieces.join("")).toBe(text);
    expect(pieces.every((piece) => piece.length <= 33 && piece.isWellFormed())).toBe(true);
  });

  it("hides a secret wherever it is cut, at the end of a line's bound too", async () => {
    const secret = "s3cr3t-value";
    const text = `${"x".repeat(25)}${secret}${"y".repeat(30)} ${secret}`;
    for (let sizeBytes = 1; sizeBytes < 80; sizeBytes += 1) {
      const shown = textsOf(await linesOf(frame(1, Buffer.from(text)), sizeBytes, [secret], 30)).join("");
      expect(shown).toBe(`${"x".repeat(25)}***${"y".repeat(30)} ***`);
    }
  });

  it("is read at the pace of whoever reads it", async () => {
    let asked = 0;
    const lines = logLines(
      logFrames(
        (async function* () {
          for (;;) {
            asked += 1;
            yield frame(1, Buffer.from("line\n".repeat(10)));
          }
        })(),
      ),
      [],
    );
    for (let count = 0; count < 25; count += 1) await lines.next();
    expect(asked).toBe(3);
    await lines.return(undefined);
  });
});
