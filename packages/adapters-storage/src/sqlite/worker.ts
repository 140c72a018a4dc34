import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { OpenOptions } from "./engine/open-database.ts";
import type { ListScan } from "./engine/reads.ts";
import { type SnapshotOptions, writeSnapshot } from "./engine/snapshot.ts";
import { type Incoming, Store } from "./engine/store.ts";
import { insideGate } from "./native-gate.ts";
import type { FailureKind, WireCall, WireMessage, WireReply } from "./wire.ts";

/** What the worker is started with. */
export type WorkerOptions = OpenOptions & { readonly processId: string; readonly gate: Int32Array };

type ListCall = WireCall & { op: "list" };

if (parentPort !== null) {
  const given = workerData as WorkerOptions | SnapshotOptions;
  if ("target" in given) parentPort.postMessage(writeSnapshot(given));
  else serve(parentPort, given);
}

function serve(port: MessagePort, { gate, ...options }: WorkerOptions): void {
  const store = new Store(options);
  /** The listings under way, and how far each of them is. */
  const scans = new Map<ListCall, ListScan | undefined>();

  const send = (batch: number, replies: readonly WireReply[], bytes?: ArrayBuffer): void => {
    const message: WireMessage = { batch, json: JSON.stringify(replies), bytes };
    port.postMessage(message, bytes === undefined ? [] : [bytes]);
  };

  // A long listing takes a step and then its place behind whatever came meanwhile.
  const step = (call: ListCall): void => {
    if (!scans.has(call)) return;
    const done = insideGate(gate, () => store.list(call, scans.get(call)));
    if (isReply(done)) {
      scans.delete(call);
      send(0, [done]);
    } else {
      scans.set(call, done);
      setImmediate(step, call);
    }
  };

  port.on("message", (first: WireMessage) => {
    const messages = [first];
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      messages.push(next.message as WireMessage);
    }
    const incoming = messages.flatMap(({ json, bytes }) => {
      return (JSON.parse(json) as WireCall[]).map((call): Incoming => ({ call, bytes }));
    });
    const batch = messages.at(-1)?.batch ?? 0;
    const ending = incoming.find(({ call }) => call.op === "close" || call.op === "fail");
    const { replies, bytes, lists } = insideGate(gate, () =>
      store.run(incoming.filter((item) => item !== ending)),
    );
    for (const call of lists) scans.set(call as ListCall, undefined);
    if (ending?.call.op === "fail") {
      fail(ending.call.how);
      replies.push([ending.call.n, "ok", null]);
    }
    if (ending?.call.op === "close") {
      insideGate(gate, () => {
        for (const [call, before] of scans) replies.push(finishList(store, call, before));
        store.close();
      });
      scans.clear();
      replies.push([ending.call.n, "ok", null]);
      send(batch, replies, bytes);
      port.close();
      return;
    }
    send(batch, replies, bytes);
    for (const call of lists) step(call as ListCall);
  });
}

function finishList(store: Store, call: ListCall, before: ListScan | undefined): WireReply {
  let done = store.list(call, before);
  while (!isReply(done)) done = store.list(call, done);
  return done;
}

function isReply(done: WireReply | ListScan): done is WireReply {
  return Array.isArray(done);
}

/** Ends the thread in one of the ways in which it may end by itself, or keeps it from ending. */
function fail(how: FailureKind): void {
  if (how === "throw") throw new Error("the worker was told to fail");
  if (how === "exit") process.exit();
  setInterval(() => {}, 1000);
}
