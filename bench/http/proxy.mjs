// The yardstick: a bare reverse proxy of node:http, keep-alive on both sides, nothing kept, nothing decided.
import { Agent, createServer, request as send } from "node:http";

const port = Number(process.argv[2]);
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const server = createServer((incoming, outgoing) => {
  const { method, url, headers } = incoming;
  const upstream = send({ host: "127.0.0.1", port, method, path: url, headers, agent }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  upstream.on("error", () => outgoing.destroy());
  incoming.pipe(upstream);
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
