/**
 * A model server that does as it is told: ready or not by `POST /ready` and `POST /unready`. As the first process of its
 * container it is not ended by a signal that it does not handle, so that it goes on when it is asked to stop.
 */
const PROGRAM = `
const { createServer } = require("node:http");
let isReady = process.env.READY !== "0";
createServer((request, response) => {
  request.resume();
  if (request.url === "/ready") isReady = true;
  if (request.url === "/unready") isReady = false;
  const isProbe = request.url === "/readyz" || request.url === "/info";
  response.writeHead(isProbe && !isReady ? 503 : 200, { "Content-Type": "text/plain" });
  response.end("medcat_snomed");
}).listen(Number(process.env.PORT ?? 8000));
`;

export const MODEL_SERVER: readonly string[] = ["/usr/bin/node", "-e", PROGRAM];
