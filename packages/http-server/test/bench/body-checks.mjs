// What does looking at a body on its way cost? The checkers alone, in pieces of 64 KiB as they come from a socket, beside
// what parsing the same bytes as a whole would cost. Best of seven.
//
//   node packages/http-server/test/bench/body-checks.mjs

import { mkdirSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const PIECE = 64 * 1024;
const folder = fileURLToPath(new URL("../../node_modules/.cache/", import.meta.url));

async function loadCheckers() {
  mkdirSync(folder, { recursive: true });
  const outfile = `${folder}body-checks.mjs`;
  await build({
    stdin: {
      contents: 'export * from "./json-checker.ts"; export * from "./multipart-checker.ts";',
      resolveDir: fileURLToPath(new URL("../../src/checks", import.meta.url)),
      loader: "ts",
    },
    ...{ outfile, bundle: true, format: "esm", platform: "node", logLevel: "warning" },
  });
  return await import(pathToFileURL(outfile).href);
}

const { JsonChecker, MultipartChecker } = await loadCheckers();

function check(checker, bytes) {
  for (let at = 0; at < bytes.byteLength; at += PIECE) checker.push(bytes.subarray(at, at + PIECE));
  checker.end();
}

function bestOf(run) {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 7; round += 1) {
    const begun = performance.now();
    run();
    best = Math.min(best, performance.now() - begun);
  }
  return best;
}

function print(name, bytes, run, compared) {
  const speed = (ms) => `${(bytes.byteLength / 1000 / ms).toFixed(0).padStart(6)} MB/s`;
  const beside = compared === undefined ? "" : `   JSON.parse ${speed(bestOf(compared))}`;
  console.log(`${name.padEnd(34)} ${speed(bestOf(run))}${beside}`);
}

const note = "Patient diagnosed with loss of kidney function. ".repeat(20);
const list = (count, make) => JSON.stringify(Array.from({ length: count }, (_, at) => make(at)));
const documents = {
  "JSON: notes": list(20_000, () => note),
  "JSON: notes with their fields": list(20_000, (id) => ({ id, text: note, label: null, ok: true })),
  "JSON: notes beyond ASCII": list(20_000, () => "Größe, Übelkeit, 腎機能の低下, 😀. ".repeat(20)),
  "JSON: notes full of escapes": list(20_000, () => 'a\n"b"\tc\\ '.repeat(50)),
  "JSON: numbers": list(1_000_000, (at) => at * 1.37),
  "JSON: tiny objects": list(500_000, (a) => ({ a, b: [true, null], c: "x" })),
  "JSON: the same, indented": JSON.stringify(
    JSON.parse(list(250_000, (a) => ({ a, b: [true, null], c: "x" }))),
    null,
    2,
  ),
};
for (const [name, text] of Object.entries(documents)) {
  const bytes = Buffer.from(text);
  print(
    name,
    bytes,
    () => check(new JsonChecker({ lines: false }), bytes),
    () => JSON.parse(bytes.toString()),
  );
}
const lines = Buffer.from(`${JSON.stringify({ name: "1", text: note })}\n`.repeat(20_000));
print("NDJSON: notes", lines, () => check(new JsonChecker({ lines: true }), lines));

const part = (name, content) => [
  `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`,
  content,
  "\r\n",
];
const form = (parts) => Buffer.concat([...parts.flat(), "--b--\r\n"].map((piece) => Buffer.from(piece)));
const large = form([part("file", Buffer.alloc(200_000_000, "some text of a note\r\n"))]);
print("form: one file of 200 MB", large, () => check(new MultipartChecker("b"), large));
const fields = form(Array.from({ length: 20_000 }, (_, at) => part(`field${at}`, `value ${at}`)));
print("form: 20,000 small fields", fields, () => check(new MultipartChecker("b"), fields));

const small = Buffer.from(JSON.stringify([note.repeat(2)]));
const times = 20_000;
const each = (run) =>
  `${(
    (bestOf(() => {
      for (let at = 0; at < times; at += 1) run();
    }) /
      times) *
      1000
  ).toFixed(1)} µs`;
console.log(
  `one JSON body of ${small.byteLength} bytes: ${each(() => check(new JsonChecker({ lines: false }), small))}, JSON.parse ${each(() => JSON.parse(small.toString()))}`,
);
