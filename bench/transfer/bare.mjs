// The limit that transfers are held against: a body straight into a file with fsync, and a file straight into a body.
import { createReadStream, createWriteStream } from "node:fs";
import { open, rm, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

const [directory] = process.argv.slice(2);
const file = join(directory, "body");

const server = createServer(async (request, response) => {
  if (request.method === "POST") {
    await pipeline(request, createWriteStream(file));
    const handle = await open(file, "r+");
    await handle.sync();
    await handle.close();
    response.end("stored");
  } else if (request.method === "DELETE") {
    await rm(file, { force: true });
    response.end("gone");
  } else {
    const { size } = await stat(file);
    response.writeHead(200, { "content-length": size });
    await pipeline(createReadStream(file), response);
  }
});
server.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
