// biome-ignore-all lint/suspicious/noTemplateCurlyInString: faults are pieces of sources.
// That payloads and results reach the other side as they were sent.

const bytes = "packages/core/test/protocols/cms-bytes.test.ts";
const call = "packages/core/src/protocols/cms-call.ts";
const handedOn = "payload: takesBody ? call.payload : undefined,";
const fidelity = "packages/http-server/test/fidelity.test.ts";

/** Whole bodies are changed by what `change` makes of their bytes; streams stay as they are. */
const rewritten = (change) =>
  `payload: takesBody && call.payload instanceof Uint8Array ? ((body) => ${change})(Buffer.from(call.payload)) : undefined,`;

export const bodies = [
  {
    id: "W-12",
    title: "Files of one name overwrite each other",
    faults: [
      {
        file: "packages/core/src/gateway/intake.ts",
        find: 'const key = `payloads/${isTaskId(id) ? id : "refused"}/${newId()}`;',
        replace: 'const key = "payloads/file";',
      },
    ],
    test: {
      file: "packages/core/test/gateway/attempts.test.ts",
      name: "has its payload to itself, whatever came at the same time",
    },
  },
  {
    id: "W-13",
    title: "Of a parameter that comes several times only the last is sent",
    faults: [
      {
        file: call,
        find: 'withQueryParameter(call.query, "tracking_id", call.taskId) : call.query;',
        replace:
          'withQueryParameter(call.query, "tracking_id", call.taskId)\n    : `${new URLSearchParams(Object.fromEntries(new URLSearchParams(call.query)))}`;',
      },
    ],
    test: {
      file: "packages/http-server/test/submit.test.ts",
      name: "sends body, query and content type to the server byte for byte",
    },
  },
  {
    id: "W-14",
    title: "Of a form field that comes several times only the last is sent, without the type of its part",
    faults: [
      {
        file: call,
        find: handedOn,
        replace: rewritten(
          'Buffer.from(body.toString("latin1").replace(/--b\\r\\n[^]*?(?=--b\\r\\n)/, "").replace(/Content-Type: .*\\r\\n/, ""), "latin1")',
        ),
      },
    ],
    test: { file: bytes, name: "is a multipart body as it came, names, types, doubles and order" },
  },
  {
    id: "W-15",
    title: "A form without a file is sent in another form than its header says",
    faults: [
      {
        file: call,
        find: handedOn,
        replace: rewritten(
          'contentType?.startsWith("multipart/") && !/filename="[^"]/.test(`${body}`) ? Buffer.from("a=c") : body',
        ),
      },
    ],
    test: { file: bytes, name: "is a form without a file, in the very form that its type names" },
  },
  {
    id: "W-16",
    title: "A text that is not UTF-8 fails, or arrives as another one",
    faults: [{ file: call, find: handedOn, replace: rewritten("Buffer.from(body.toString())") }],
    test: { file: bytes, name: "is the text byte by byte, UTF-8 or not" },
  },
  {
    id: "W-17",
    title: "JSON is read and written anew: long numbers change, doubles go",
    faults: [
      {
        file: call,
        find: handedOn,
        replace: rewritten(
          'contentType?.includes("json") && !contentType.includes("ndjson") ? Buffer.from(JSON.stringify(JSON.parse(`${body}`.replace("NaN", "null")))) : body',
        ),
      },
    ],
    test: {
      file: fidelity,
      name: "is the body of process_bulk, its type and its query, byte for byte",
      written: { text: "is the body of %s, its type and its query, byte for byte" },
    },
  },
  {
    id: "W-18",
    title: "Every result is a JSON file of unknown type",
    faults: [
      {
        file: "packages/http-server/src/routes/result-answer.ts",
        find: '"content-type": headerValue(result.contentType) ?? "application/octet-stream",',
        replace: '"content-type": "application/octet-stream",',
      },
    ],
    test: {
      file: "packages/http-server/test/tasks.test.ts",
      name: "give their result with the server's media type",
    },
  },
  {
    id: "W-19",
    title: "What the server said of a task that it refused is thrown away",
    faults: [
      {
        file: "packages/core/src/tasks/run-attempt.ts",
        find: '  else await finish(attempt, host, { ...ref, kind: "failed", error, result, releaseHold: true });',
        replace: '  else await finish(attempt, host, { ...ref, kind: "failed", error, releaseHold: true });',
      },
    ],
    test: {
      file: "packages/http-server/test/tasks.test.ts",
      name: "fail with the server's own words as their result, and in the detail view",
    },
  },
];
