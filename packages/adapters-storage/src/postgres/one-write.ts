import type { Writable } from "node:stream";
import type { PostgresClientLike } from "./options.ts";

const corked = new WeakSet<Writable>();

/**
 * What is sent to this client in one turn goes out in one piece. Each statement in a write of its own would wake the
 * server for that statement alone, which costs both sides more than a short statement itself.
 */
export function sendTogether(client: PostgresClientLike): void {
  const { stream } = (client as { readonly connection?: { readonly stream?: Writable } }).connection ?? {};
  if (stream?.cork === undefined || corked.has(stream)) return;
  corked.add(stream);
  stream.cork();
  process.nextTick(() => {
    corked.delete(stream);
    stream.uncork();
  });
}
