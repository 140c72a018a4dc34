import { formBody } from "../support/forms.ts";
import type { Dice } from "./dice.ts";

/** A request in parts that can be spoilt one by one. */
export interface Draft {
  method: string;
  target: string;
  headers: [name: string, value: string][];
  body: Buffer;
  framing: "none" | "length" | "chunked";
}

const TEXT = "text/plain";
const form = formBody("b", [
  { name: "description", content: "of a form" },
  { name: "trainer_export", filename: "a.json", type: "application/json", content: '{"projects":[]}' },
  { name: "trainer_export", filename: "größe.json", content: "{}" },
]);
const BODIES: Readonly<Record<string, readonly [type: string, body: Buffer]>> = {
  process: [TEXT, Buffer.from("Dr. Keller saw Mr. Smith in Berlin. größe")],
  redact: [TEXT, Buffer.from("a note")],
  process_jsonl: ["application/x-ndjson", Buffer.from('{"name":"1","text":"a"}\n{"name":"2","text":"ü"}\n')],
  process_bulk: ["application/json", Buffer.from('["a note","größe",{"n":[1,2.5e3,null,true]}]')],
  redact_with_encryption: ["application/json", Buffer.from('{"text":"a","public_key_pem":"\\n"}')],
  process_bulk_file: ["multipart/form-data; boundary=b", form],
  train_supervised: ['multipart/form-data; boundary="b"', form],
  info: ["application/json", Buffer.alloc(0)],
};

/** A valid request for any route. `ids` are of tasks that are there. */
export function validRequest(dice: Dice, ids: readonly string[], adminKey: string): Draft {
  const get = (target: string): Draft => ({ ...empty, method: "GET", target, headers: [] });
  const id = dice.chance(0.9) ? dice.pick(ids) : "no-such-task";
  const kind = dice.below(20);
  if (kind < 8) return submit(dice);
  if (kind < 10) return straight(dice);
  switch (kind) {
    case 10:
      return get(dice.pick(["/", "/health", "/health/", "/models", "/models/?verbose=true"]));
    case 11:
      return get(dice.pick(["/models/nlp", "/models/nlp/?verbose=1", "/models/nlp/info", "/models/other"]));
    case 12:
    case 13:
      return get(
        `/tasks/${id}${dice.pick(["", "/", "?detail=true", "?download=true", "?detail=1&download=0"])}`,
      );
    case 14:
      return {
        ...get(`/tasks/${id}?download=true`),
        headers: [["Range", dice.pick(["bytes=0-3", "bytes=-2", "bytes=5-"])]],
      };
    case 15:
      return {
        ...get(`/tasks?limit=${dice.below(20) + 1}&status=succeeded`),
        headers: [["X-Modelgate-Key", adminKey]],
      };
    case 16:
      return { ...empty, method: "DELETE", target: `/tasks/${id}`, headers: [] };
    case 17:
      return {
        ...empty,
        method: "POST",
        target: `/tasks/${id}/retry?priority=${dice.below(11)}`,
        headers: [],
      };
    default:
      return {
        ...{ method: "PATCH", target: `/tasks/${id}`, framing: "length" },
        headers: [["Content-Type", "application/json"]],
        body: Buffer.from(`{"priority": ${dice.below(11)}}`),
      };
  }
}

const empty = { body: Buffer.alloc(0), framing: "none" } as const;

function submit(dice: Dice): Draft {
  const [task, [type, small]] = dice.pick(Object.entries(BODIES));
  const body = dice.chance(0.15) ? enlarged(type, small) : small;
  const headers: [string, string][] = [["Content-Type", type]];
  if (dice.chance(0.2)) headers.push(["Prefer", "wait=5"]);
  if (dice.chance(0.1)) headers.push(["Idempotency-Key", dice.pick(["k1", '"k1"', "k2"])]);
  if (dice.chance(0.1)) headers.push(["X-Modelgate-Priority", String(dice.below(11))]);
  const query = dice.pick(["", "", "?a=1&a=2&b=%2f", "?priority=3", "?epochs=1&concepts_to_keep=a+b"]);
  const framing = dice.chance(0.5) ? "length" : "chunked";
  return { method: "POST", target: `/models/nlp/tasks/${task}${query}`, headers, body, framing };
}

/** What goes straight to the server. The last two are refused; the server answers every other with what it was sent. */
function straight(dice: Dice): Draft {
  const path = dice.pick([
    "/process",
    "/v1/embeddings",
    "/a%2fb/%C3%BC;x",
    "/healthz/",
    "/tasks",
    "/train_supervised",
    "/a/../b",
  ]);
  const method = dice.pick(["POST", "POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS"]);
  const query = dice.pick(["", "?a=1&a=2&b=%2f", "?stream=true"]);
  const headers: [string, string][] = [["Content-Type", TEXT]];
  if (dice.chance(0.3)) headers.push(["Prefer", dice.pick(["wait=2", "respond-async, wait=1"])]);
  if (dice.chance(0.2)) headers.push(["Connection", dice.pick(["Upgrade, X-A", "X-A"])], ["X-A", "1"]);
  if (dice.chance(0.2)) headers.push(["Upgrade", dice.pick(["websocket", "h2c"])]);
  if (dice.chance(0.2)) headers.push(["Authorization", "Bearer b"], ["Cookie", "a=1"]);
  const body = dice.chance(0.2) ? Buffer.alloc(100_000, "a\r\n") : Buffer.from("a text");
  const framing =
    method === "GET" || method === "OPTIONS" ? "none" : dice.pick(["length", "chunked"] as const);
  return {
    method,
    target: `/models/nlp${path}${query}`,
    headers,
    body: framing === "none" ? Buffer.alloc(0) : body,
    framing,
  };
}

/** The same many times over, and valid, so that it is streamed to the object store. */
function enlarged(type: string, body: Buffer): Buffer {
  if (type.startsWith("multipart/")) {
    return formBody("b", [
      { name: "file", filename: "large.bin", content: Buffer.alloc(150_000, "a\r\n--") },
    ]);
  }
  if (type !== "application/json") return Buffer.concat(Array(2_000).fill(body));
  return Buffer.from(`[${Array(2_000).fill(body.toString("utf8")).join(",")}]`);
}
