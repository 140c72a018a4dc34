// An instant model server: reads the text, answers 2 KB of JSON.
import { createServer } from "node:http";

const answer = Buffer.from(JSON.stringify({ text: "x".repeat(1900), annotations: [] }));
const server = createServer((request, response) => {
  request.resume().on("end", () => {
    if (request.url === "/readyz") response.writeHead(200, { "content-type": "text/plain" }).end("instant");
    else if (request.url === "/stream") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 1\n\n");
      setTimeout(() => response.end("data: 2\n\n"), 2);
    } else
      response
        .writeHead(200, { "content-type": "application/json", "content-length": answer.length })
        .end(answer);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
