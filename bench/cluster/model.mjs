// A model server that speaks CMS as far as these benches go and writes down each call: which text, when it came, when it
// was answered. Started by cluster.mjs; tells what it saw when it is asked.
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { "work-ms": { type: "string", default: "0" } } });
const workMs = Number(values["work-ms"]);
const calls = [];

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  response.setHeader("content-type", "application/json");
  if (request.method === "GET") {
    response.end(request.url === "/info" ? '{"model_type":"bench"}' : '"OK"');
    return;
  }
  const text = Buffer.concat(chunks).toString().trimEnd();
  const call = { text: text.slice(0, 64), beganMs: performance.now(), endedMs: undefined };
  calls.push(call);
  await sleep(workMs);
  // Written before the answer is, so that a slot is never counted as taken longer than it was.
  call.endedMs = performance.now();
  response.end(JSON.stringify({ text: text.slice(0, 64), annotations: [] }));
});
server.listen(0, "127.0.0.1", () => process.send({ url: `http://127.0.0.1:${server.address().port}` }));
process.on("message", () => process.send({ nowMs: performance.now(), calls }));
process.on("disconnect", () => process.exit(0));
