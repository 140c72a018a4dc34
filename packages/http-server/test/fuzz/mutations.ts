import type { Dice } from "./dice.ts";
import type { Draft } from "./valid-requests.ts";

type Mutation = (draft: Draft, dice: Dice) => void;

const ODD_TEXTS = [
  ..."%00 %zz %c3%28 %2e%2e .. ../../etc/passwd %2F // /./ ; ? # \\ ' \" * %0d%0a".split(" "),
  "x".repeat(300),
  "x".repeat(20_000),
];
const ODD_VALUES = [
  "",
  " ",
  "0",
  "-1",
  "1e9",
  "99999999999999999999",
  "true",
  "null",
  "\u00e9",
  "a, b",
  '"',
  "\\",
  "=",
  ";;",
];
const HEADERS = [
  ..."Accept Content-Type Content-Length Transfer-Encoding Content-Encoding Expect Connection Host Prefer".split(
    " ",
  ),
  ..."Range If-Range If-None-Match Idempotency-Key X-Modelgate-Priority X-Modelgate-Key Upgrade Cookie".split(
    " ",
  ),
];
const KNOWN_VALUES = [
  ..."application/problem+json application/json application/x-ndjson text/plain multipart/form-data".split(
    " ",
  ),
  ..."multipart/form-data;boundary= chunked gzip,chunked identity gzip 100-continue 200-ok close keep-alive".split(
    " ",
  ),
  ..."wait=0 wait=1,wait=x bytes=0-0 bytes=9-1 bytes=0-1,2-3 bytes=99- * h2c websocket 0 5 10 11".split(" "),
  'multipart/form-data; boundary="a b"',
];
const METHODS = [
  "HEAD",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "CONNECT",
  "GET",
  "POST",
  "get",
  "FOO",
  "",
];

const requestMutations: Readonly<Record<string, Mutation>> = {
  method: (draft, dice) => {
    draft.method = dice.pick(METHODS);
  },
  path: (draft, dice) => {
    const at = dice.below(draft.target.length + 1);
    draft.target = draft.target.slice(0, at) + dice.pick(ODD_TEXTS) + draft.target.slice(at);
  },
  "cut path": (draft, dice) => {
    draft.target = draft.target.slice(dice.below(3), dice.below(draft.target.length + 1));
  },
  "absolute target": (draft, dice) => {
    draft.target =
      dice.pick(["http://x", "HTTP://[::1]:1", "https://a b", "//x", "*", "x:80"]) + draft.target;
  },
  query: (draft, dice) => {
    const name = dice.pick([
      "priority",
      "detail",
      "download",
      "verbose",
      "limit",
      "cursor",
      "status",
      "created_from",
      "%70riority",
      "a",
    ]);
    draft.target += `${draft.target.includes("?") ? "&" : "?"}${name}=${dice.pick(ODD_VALUES)}`;
  },
  "many query keys": (draft, dice) => {
    draft.target += `?${"k&".repeat(dice.pick([990, 1_001, 5_000, 10_000]))}`;
  },
  "drop header": (draft, dice) => {
    draft.headers.splice(dice.below(draft.headers.length + 1), 1);
  },
  "add header": (draft, dice) => {
    const value = dice.chance(0.7) ? dice.pick(KNOWN_VALUES) : dice.pick(ODD_VALUES);
    draft.headers.splice(dice.below(draft.headers.length + 1), 0, [dice.pick(HEADERS), value]);
  },
  "change header": (draft, dice) => {
    const header = draft.headers[dice.below(draft.headers.length)];
    if (header !== undefined) header[1] = dice.pick([...KNOWN_VALUES, ...ODD_VALUES]);
  },
  "huge header": (draft, dice) => {
    draft.headers.push(["X-Huge", "y".repeat(dice.pick([1_000, 20_000, 40_000]))]);
  },
  "many headers": (draft, dice) => {
    for (let count = dice.pick([50, 500, 3_000]); count > 0; count -= 1)
      draft.headers.push([`x${count}`, "y"]);
  },
  "header bytes": (draft, dice) => {
    draft.headers.push([
      dice.pick(["X-Odd", "X Odd", "", "X:"]),
      dice.pick(["a\0b", "a\rb", "a\nb", "\x7f", "\u00ff"]),
    ]);
  },
};

const bodyMutations: Readonly<Record<string, Mutation>> = {
  "cut body": (draft, dice) => {
    draft.body = draft.body.subarray(0, dice.below(draft.body.byteLength + 1));
  },
  "flip bits": (draft, dice) => {
    const body = Buffer.from(draft.body);
    for (let count = dice.below(4); count >= 0 && body.byteLength > 0; count -= 1) {
      const at = dice.below(body.byteLength);
      body[at] = (body[at] as number) ^ (1 << dice.below(8));
    }
    draft.body = body;
  },
  "insert bytes": (draft, dice) => {
    const at = dice.below(draft.body.byteLength + 1);
    const odd = dice.pick([
      Buffer.from("\r\n--b"),
      Buffer.from("--b--"),
      Buffer.from("[".repeat(2_000)),
      Buffer.from("\0"),
      dice.bytes(9),
    ]);
    draft.body = Buffer.concat([draft.body.subarray(0, at), odd, draft.body.subarray(at)]);
  },
  encoding: (draft, dice) => {
    draft.body = Buffer.from(draft.body.toString("utf8"), dice.pick(["latin1", "utf16le"] as const));
  },
  "random body": (draft, dice) => {
    draft.body = dice.bytes(dice.pick([1, 10, 500, 40_000]));
  },
  "odd names": (draft, dice) => {
    const name = dice.pick(["../x", "a\0b", "a\nb", "..\\x", 'a"b', "x".repeat(9_000)]);
    draft.body = Buffer.from(
      draft.body.toString("latin1").replace(dice.pick(["a.json", "description"]), name),
      "latin1",
    );
  },
};

/** Spoils a request in a few ways; gives their names. */
export function mutate(draft: Draft, dice: Dice): string[] {
  const all = { ...requestMutations, ...(draft.framing !== "none" && bodyMutations) };
  const names: string[] = [];
  for (let count = dice.pick([0, 1, 1, 1, 2, 3]); count > 0; count -= 1) {
    const [name, mutation] = dice.pick(Object.entries(all));
    mutation(draft, dice);
    names.push(name);
  }
  return names;
}
