import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** What arrived at the model server, byte for byte. */
interface Received {
  readonly target: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export interface ModelServer {
  readonly url: string;
  readonly received: Received[];
  /** What `/info` answers; a function may do anything. */
  info: string | ((response: ServerResponse) => void);
  close(): Promise<void>;
}

/**
 * A model server that speaks CMS as far as these tests go. What it does is asked for by the text: `status:N` answers
 * so, `delay:N` waits, `large:N` answers N bytes, anything else is answered with its own length.
 */
export async function startModelServer(): Promise<ModelServer> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    void answer(request, response);
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const body = Buffer.concat(chunks);
    const target = request.url ?? "";
    if (target === "/readyz" || target === "/healthz") {
      response.end('"OK"');
      return;
    }
    if (target === "/info") {
      if (typeof model.info === "function") model.info(response);
      else response.writeHead(200, { "content-type": "application/json" }).end(model.info);
      return;
    }
    received.push({ target, headers: request.headers, body });
    await work(body.toString("latin1"), body, response);
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const model: ModelServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    info: '{"api_version":"0.0.1","model_type":"medcat_umls","model_description":"a model","big":12345678901234567890}',
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return model;
}

async function work(text: string, body: Buffer, response: ServerResponse): Promise<void> {
  const [, kind, number = "0"] = /^(status|delay|large):(\d+)/.exec(text) ?? [];
  if (kind === "delay") await sleep(Number(number));
  if (kind === "status") {
    response.writeHead(Number(number), { "content-type": "application/json; charset=utf-8" });
    response.end(`{"message":"the server's own words: ${number}"}`);
    return;
  }
  if (kind === "large") {
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": number });
    const piece = Buffer.alloc(64 * 1024, "x");
    for (let rest = Number(number); rest > 0; rest -= piece.byteLength) {
      response.write(piece.subarray(0, Math.min(rest, piece.byteLength)));
    }
    response.end();
    return;
  }
  response.writeHead(200, {
    "content-type": 'application/json; profile="own"',
    "content-disposition": 'attachment; filename="server.json"',
  });
  response.end(`{"length":${body.byteLength}}`);
}
