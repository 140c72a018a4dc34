import type { ByteStream } from "@modelgate/core";
import { GatewayError } from "@modelgate/core";
import { s3ObjectStore } from "../../src/s3/index.ts";
import type { FromChild, ToChild } from "../filesystem/kit-wire.ts";

// A store in a process of its own: node kit-child.js OPTIONS [once]. The process that started it calls the store's methods
// by messages, and pieces of bodies go either way when they are asked for. With `once`, it uses the store, closes it and
// does nothing more.

const [options = "", once] = process.argv.slice(2);
const store = s3ObjectStore(JSON.parse(options));
const bodies = new Map<number, AsyncIterator<Uint8Array>>();
const asked = new Map<number, (piece: Uint8Array | undefined) => void>();
let lastBody = 0;

function send(message: FromChild): void {
  process.send?.(message);
}

async function* bodyFromParent(call: number): ByteStream {
  for (;;) {
    const piece = await new Promise<Uint8Array | undefined>((resolve) => {
      asked.set(call, resolve);
      send({ type: "pull", call });
    });
    if (piece === undefined) return;
    yield piece;
  }
}

async function run({ call, method, args }: Extract<ToChild, { type: "call" }>): Promise<void> {
  try {
    const real = args.map((arg) => (arg === "body" && method === "put" ? bodyFromParent(call) : arg));
    const methods = store as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    let value = await methods[method]?.(...real);
    if (method === "get" && value !== undefined) {
      const { body, ...stat } = value as { body: ByteStream };
      lastBody += 1;
      bodies.set(lastBody, body[Symbol.asyncIterator]());
      value = { ...stat, body: lastBody };
    }
    send({ type: "done", call, value });
  } catch (error) {
    const code = GatewayError.is(error) ? error.code : undefined;
    send({ type: "failed", call, code, message: String(error) });
  }
}

async function* textBody(): ByteStream {
  yield new TextEncoder().encode("x".repeat(1_000_000));
}

if (once === "once") {
  await store.put("k", textBody());
  await store.get("k");
  await store.list("");
  await store.close();
} else {
  process.on("message", async (message: ToChild) => {
    if (message.type === "call") await run(message);
    else if (message.type === "piece") asked.get(message.call)?.(message.piece);
    else {
      const next = await bodies.get(message.body)?.next();
      send({ type: "done", call: message.call, value: next?.done === true ? undefined : next?.value });
    }
  });
  process.on("disconnect", () => process.exit(0));
}
