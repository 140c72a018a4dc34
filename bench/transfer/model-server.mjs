// A model server for large bodies: busy as long as it is told to be, answers a text "N" with N bytes.
import { createServer } from "node:http";

const chunk = Buffer.alloc(1024 * 1024, "x");
let isBusy = false;

const server = createServer(async (request, response) => {
  if (request.url === "/busy" || request.url === "/free") {
    isBusy = request.url === "/busy";
    response.end("ok");
    return;
  }
  if (request.method === "GET") {
    response.end("ready");
    return;
  }
  if (isBusy) {
    request.resume();
    response.writeHead(503, { "retry-after": "3" }).end("busy");
    return;
  }
  let text = "";
  for await (const piece of request) if (text.length < 20) text += piece.subarray(0, 20);
  let left = /^\d+$/.test(text) ? Number(text) : 0;
  response.writeHead(200, { "content-type": "application/octet-stream", "content-length": left });
  for (; left > 0 && !response.destroyed; left -= chunk.length) {
    const piece = left >= chunk.length ? chunk : chunk.subarray(0, left);
    if (!response.write(piece)) await new Promise((resolve) => response.once("drain", resolve));
  }
  response.end();
});
server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
