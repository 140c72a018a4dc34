import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface HangingServer {
  readonly url: string;
  /** Texts of the requests that wait for an answer. */
  waiting(): string[];
  /** How often a text has come. */
  count(text: string): number;
  /** From now on everything is answered at once, also what waits and is still wanted. */
  answerAll(): void;
  /** From now on it waits again. */
  waitAgain(): void;
  close(): Promise<void>;
}

/** A model server that answers texts which begin with `hang` only after `answerAll`, and everything else at once. */
export async function startHangingServer(): Promise<HangingServer> {
  const open = new Map<ServerResponse, string>();
  const counts = new Map<string, number>();
  let doesAnswer = false;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    if (request.method === "GET") return void response.end('{"model_type":"medcat_umls"}');
    const text = Buffer.concat(chunks).toString();
    counts.set(text, (counts.get(text) ?? 0) + 1);
    if (doesAnswer || !text.startsWith("hang")) return void response.end(JSON.stringify({ text }));
    open.set(response, text);
    response.on("close", () => open.delete(response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    waiting: () => [...open.values()],
    count: (text) => counts.get(text) ?? 0,
    answerAll() {
      doesAnswer = true;
      for (const [response, text] of open) response.end(JSON.stringify({ text }));
    },
    waitAgain() {
      doesAnswer = false;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
