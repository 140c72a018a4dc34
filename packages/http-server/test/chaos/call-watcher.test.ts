import { describe, expect, it } from "vitest";
import { type CallEnding, CallWatcher, type SeenCall } from "./call-watcher.ts";

function watch(): {
  readonly watcher: CallWatcher;
  readonly begun: SeenCall[];
  readonly ended: CallEnding[];
} {
  const begun: SeenCall[] = [];
  const ended: CallEnding[] = [];
  const watcher = new CallWatcher({
    begun: (call) => void begun.push(call),
    ended: (_call, ending) => void ended.push(ending),
  });
  return { watcher, begun, ended };
}

const REQUEST = Buffer.from(
  `POST /process?chaos=n1 HTTP/1.1\r\nAuthorization: Basic ${Buffer.from("s.2:x").toString("base64")}\r\n\r\nnote`,
);
const ANSWER = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");

describe("what passes between a gateway and a model server", () => {
  it("is told apart call by call, in pieces of any size", () => {
    const { watcher, begun, ended } = watch();
    for (let round = 0; round < 2; round += 1) {
      for (const byte of REQUEST) watcher.sent(Buffer.of(byte));
      for (const byte of ANSWER) watcher.received(Buffer.of(byte));
    }
    expect(begun.map(({ by, path, query }) => [by, path, query.get("chaos")])).toEqual([
      ["s.2", "/process", "n1"],
      ["s.2", "/process", "n1"],
    ]);
    expect(ended).toEqual([
      { kind: "answered", status: 200 },
      { kind: "answered", status: 200 },
    ]);
  });

  it("is broken when the answer was cut short", () => {
    const { watcher, ended } = watch();
    watcher.sent(REQUEST);
    watcher.received(ANSWER.subarray(0, -1));
    watcher.closed("cut");
    expect(ended).toEqual([{ kind: "broken", by: "cut" }]);
  });

  it("is broken when an answer without a length ends with its connection", () => {
    const { watcher, ended } = watch();
    watcher.sent(REQUEST);
    watcher.received(Buffer.from("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
    watcher.closed("server");
    expect(ended).toEqual([{ kind: "broken", by: "server" }]);
  });
});
