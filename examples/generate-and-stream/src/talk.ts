import { once } from "node:events";
import { WebSocket } from "undici";

/** Sends texts over a WebSocket, one after the other's answer, and says goodbye. */
export async function talk(url: string, texts: readonly string[]): Promise<string[]> {
  // Node has a WebSocket of its own from version 22 on.
  const socket = new WebSocket(url);
  const answers: string[] = [];
  const failed = once(socket, "error").then(() => {
    throw new Error(`No WebSocket could be opened at ${url}.`);
  });
  await Promise.race([once(socket, "open"), failed]);
  for (const text of texts) {
    const answer = once(socket, "message") as Promise<[{ data: unknown }]>;
    socket.send(text);
    const [{ data }] = await Promise.race([answer, failed]);
    answers.push(String(data));
  }
  const closed = once(socket, "close");
  socket.close();
  await closed;
  return answers;
}
