import type { Dice } from "./dice.ts";
import type { Draft } from "./valid-requests.ts";

/** The bytes of a request by `agent`. `spoil` lets its framing be wrong. Also says how it was spoilt. */
export function writeRequest(
  draft: Draft,
  dice: Dice,
  agent: string,
  spoil: boolean,
): { bytes: Buffer; names: string[] } {
  const names: string[] = [];
  const lines = draft.headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  let framing = "";
  let body = draft.body;
  if (draft.framing === "length") {
    let length = draft.body.byteLength;
    if (spoil) {
      length = Math.max(0, length + dice.pick([-5, -1, 1, 5, 1_000_000]));
      names.push("wrong length");
    }
    framing = `Content-Length: ${length}\r\n`;
  } else if (draft.framing === "chunked") {
    framing = "Transfer-Encoding: chunked\r\n";
    body = inChunks(draft.body, dice);
    if (spoil) {
      const [name, spoilt] = dice.pick(Object.entries(CHUNK_ABUSE));
      body = spoilt(body, dice);
      names.push(name);
    }
  }
  const head = Buffer.from(
    `${draft.method} ${draft.target} HTTP/1.1\r\nHost: x\r\nUser-Agent: ${agent}\r\n${lines}${framing}\r\n`,
    "latin1",
  );
  return { bytes: Buffer.concat([head, body]), names };
}

function inChunks(body: Buffer, dice: Dice): Buffer {
  const pieces: Buffer[] = [];
  const most = dice.pick([7, 500, 100_000]);
  for (let at = 0; at < body.byteLength; ) {
    const chunk = body.subarray(at, at + 1 + dice.below(most));
    const extension = dice.chance(0.05) ? ";a=b" : "";
    pieces.push(Buffer.from(`${chunk.byteLength.toString(16)}${extension}\r\n`), chunk, Buffer.from("\r\n"));
    at += chunk.byteLength;
  }
  const trailer = dice.chance(0.05) ? "x-trailer: y\r\n" : "";
  return Buffer.concat([...pieces, Buffer.from(`0\r\n${trailer}\r\n`)]);
}

const CHUNK_ABUSE: Readonly<Record<string, (body: Buffer, dice: Dice) => Buffer>> = {
  "no last chunk": (body) => body.subarray(0, -5),
  "chunk of no size": (body) => Buffer.concat([Buffer.from("zz\r\n"), body]),
  "huge chunk size": (body) => Buffer.concat([Buffer.from("fffffffffffffffff\r\n"), body]),
  "negative chunk size": (body) => Buffer.concat([Buffer.from("-1\r\n"), body]),
  "huge extension": (body) => Buffer.concat([Buffer.from(`1;${"e".repeat(20_000)}\r\nx\r\n`), body]),
  "bytes after a chunk": (body, dice) => {
    const at = dice.below(body.byteLength);
    return Buffer.concat([body.subarray(0, at), Buffer.from("x\r\n"), body.subarray(at)]);
  },
  "bare line ends": (body) => Buffer.from(body.toString("latin1").replaceAll("\r\n", "\n"), "latin1"),
};
