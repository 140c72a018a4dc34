import { GatewayError, type Ledger } from "@modelgate/core";
import { type SqliteStore, sqliteStore } from "../../src/sqlite/sqlite-store.ts";
import { type ChildCall, type ChildReply, toWire } from "./ledger-messages.ts";

// A process that has stores open for another one: it makes the calls that it is sent, and answers each.

const stores = new Map<number, SqliteStore>();

async function answer({ n, client, method, args }: ChildCall): Promise<ChildReply> {
  try {
    if (method === "open") {
      stores.set(client, sqliteStore({ directory: String(args[0]) }));
      return { n, value: undefined };
    }
    const store = stores.get(client);
    if (store === undefined) throw new GatewayError("CLOSED", "this client is closed");
    if (method === "end") {
      stores.delete(client);
      return { n, value: await store.close() };
    }
    const call = store.ledger[method as "get"] as (...values: unknown[]) => Promise<unknown>;
    return { n, value: toWire(await call.apply(store.ledger satisfies Ledger, [...args])) };
  } catch (error) {
    return { n, error: toWire(error) };
  }
}

process.on("message", (call: ChildCall) => {
  void answer(call).then((reply) => process.send?.(reply));
});
process.on("disconnect", () => process.exit());
