// A model server that is ready and never answers a task.
import { createServer } from "node:http";

const server = createServer((request, response) => {
  if (request.url === "/readyz") response.writeHead(200, { "content-type": "text/plain" }).end("hanging");
  else request.resume();
});
server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
