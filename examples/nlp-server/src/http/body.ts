import type { IncomingMessage } from "node:http";
import { message, Refusal } from "./answer.ts";

/** How long the server goes on reading a body that it will refuse, so that the client can read the refusal. */
const discardMs = 2_000;

/** Reads a request's body; one that is larger than `limit` bytes is refused with 413. */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let timer: NodeJS.Timeout | undefined;
    const refuse = (): void =>
      reject(new Refusal(message(413, "The request body is too large.", { connection: "close" })));

    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) {
        chunks.push(chunk);
      } else if (!timer) {
        chunks.length = 0;
        timer = setTimeout(refuse, discardMs);
      }
    });
    request.on("end", () => {
      clearTimeout(timer);
      if (size > limit) refuse();
      else resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size));
    });
    const gone = (): void => {
      clearTimeout(timer);
      reject(new ClientGone());
    };
    request.on("error", gone);
    request.on("close", () => {
      if (!request.complete) gone();
    });
  });
}

/** The client hung up before it had sent its whole request. */
export class ClientGone extends Error {
  constructor() {
    super("The client hung up.");
    this.name = "ClientGone";
  }
}
