import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { OpenOptions } from "./engine/open-database.ts";
import type { ListScan } from "./engine/reads.ts";
import { type Incoming, Store } from "./engine/store.ts";
import type { WireCall, WireMessage, WireReply } from "./wire.ts";

/** What the worker is started with. */
export type WorkerOptions = OpenOptions & { readonly processId: string };

type ListCall = WireCall & { op: "list" };

if (parentPort !== null) serve(parentPort, new Store(workerData as WorkerOptions));

function serve(port: MessagePort, store: Store): void {
  const send = (batch: number, replies: readonly WireReply[], bytes?: ArrayBuffer): void => {
    const message: WireMessage = { batch, json: JSON.stringify(replies), bytes };
    port.postMessage(message, bytes === undefined ? [] : [bytes]);
  };

  // A long listing takes a step and then its place behind whatever came meanwhile.
  const step = (call: ListCall, before?: ListScan): void => {
    const done = store.list(call, before);
    if (Array.isArray(done)) send(0, [done as unknown as WireReply]);
    else setImmediate(step, call, done as ListScan);
  };

  port.on("message", (first: WireMessage) => {
    const messages = [first];
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      messages.push(next.message as WireMessage);
    }
    const incoming = messages.flatMap(({ json, bytes }) => {
      return (JSON.parse(json) as WireCall[]).map((call): Incoming => ({ call, bytes }));
    });
    const closing = incoming.find(({ call }) => call.op === "close");
    const { replies, bytes, lists } = store.run(incoming.filter((item) => item !== closing));
    if (closing !== undefined) {
      for (const call of lists) finishList(store, call as ListCall, replies);
      store.close();
      replies.push([closing.call.n, "ok", null]);
      send(messages.at(-1)?.batch ?? 0, replies, bytes);
      port.close();
      return;
    }
    send(messages.at(-1)?.batch ?? 0, replies, bytes);
    for (const call of lists) step(call as ListCall);
  });
}

function finishList(store: Store, call: ListCall, replies: WireReply[]): void {
  let done: WireReply | ListScan = store.list(call, undefined);
  while (!Array.isArray(done)) done = store.list(call, done as ListScan);
  replies.push(done as unknown as WireReply);
}
