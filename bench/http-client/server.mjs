// The other end of the measurement, in a process of its own: reads the body to its end, answers 2 KB of JSON at once.

import { createServer } from "node:http";

const annotations = Array.from({ length: 16 }, (_, index) => ({
  start: index * 60,
  end: index * 60 + 14,
  label_name: "Loss Of Kidney Function",
  label_id: "C0035078",
  accuracy: 0.6307884331995259,
}));
const answer = Buffer.from(JSON.stringify({ text: "x".repeat(160), annotations }));

const server = createServer((request, response) => {
  request.resume();
  request.on("end", () => {
    response.writeHead(200, { "content-type": "application/json", "content-length": answer.byteLength });
    response.end(answer);
  });
});
server.listen(0, "127.0.0.1", () =>
  process.send({ port: server.address().port, answerBytes: answer.byteLength }),
);
process.on("disconnect", () => process.exit(0));
