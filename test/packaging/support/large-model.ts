import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

/** A model server for texts of any size: it gives back what it gets while it gets it, and keeps nothing. */
export async function startLargeModel(
  host: string,
): Promise<{ readonly url: string; readonly digests: string[]; close(): void }> {
  const digests: string[] = [];
  const server = createServer(async (request, response) => {
    if (request.url === "/process") {
      const hash = createHash("sha256");
      const through = new Transform({
        transform(chunk, _encoding, done) {
          hash.update(chunk);
          done(null, chunk);
        },
      });
      response.writeHead(200, { "content-type": "application/octet-stream" });
      await pipeline(request, through, response).catch(() => response.destroy());
      digests.push(hash.digest("hex"));
      return;
    }
    request.resume();
    response.writeHead(200, { "content-type": "application/json" });
    response.end(
      JSON.stringify({ model_type: "large", api_version: "1", model_description: "", model_card: null }),
    );
  });
  server.listen(0, host);
  await once(server, "listening");
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    digests,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
