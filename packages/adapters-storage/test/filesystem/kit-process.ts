import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type ByteStream, GatewayError, type ObjectStore, type RecordStore } from "@modelgate/core";
import { bundle } from "../support/bundle.ts";
import type { FromChild, ToChild } from "./kit-wire.ts";

const folder = new URL("../../node_modules/.cache/kit-test/", import.meta.url);
let built: Promise<void> | undefined;

/** An object store that another process has open on the same directory. */
export async function objectsElsewhere(directory: string): Promise<ObjectStore> {
  const child = await StoreProcess.start("objects", directory);
  return {
    capabilities: { durable: true, shared: true, presign: false },
    put: (key, body) => child.call("put", [key, "body"], body),
    async get(key, options) {
      const found = await child.call<{ body: number } | undefined>("get", [key, { range: options?.range }]);
      return found && ({ ...found, body: child.body(found.body) } as never);
    },
    stat: (key) => child.call("stat", [key]),
    delete: (keys) => child.call("delete", [keys]),
    list: (prefix, cursor) => child.call("list", [prefix, cursor]),
    presign: (key, expiresInMs) => child.call("presign", [key, expiresInMs]),
    close: () => child.end(),
  };
}

/** A record store that another process has open on the same directory. */
export async function recordsElsewhere(directory: string): Promise<RecordStore> {
  const child = await StoreProcess.start("records", directory);
  return {
    get: (key) => child.call("get", [key]),
    put: (key, value, expected) => child.call("put", [key, value, expected]),
    delete: (key, expected) => child.call("delete", [key, expected]),
    list: (prefix, cursor) => child.call("list", [prefix, cursor]),
    close: () => child.end(),
  };
}

/** The exit code of a process that opens a store, uses it, closes it, and ends when nothing keeps it. */
export async function exitCodeOf(kind: "objects" | "records", directory: string): Promise<number | null> {
  const child = spawn(process.execPath, [await childFile(), kind, directory, "once"], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

interface Call {
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
  readonly body: AsyncIterator<Uint8Array> | undefined;
}

class StoreProcess {
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, Call>();
  #lastCall = 0;

  static async start(kind: "objects" | "records", directory: string): Promise<StoreProcess> {
    return new StoreProcess(
      fork(await childFile(), [kind, directory], { serialization: "advanced", execArgv: [] }),
    );
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (message: FromChild) => void this.#receive(message));
    child.on("exit", () => {
      for (const { reject } of this.#calls.values()) reject(new Error("the other process ended"));
    });
  }

  call<T>(method: string, args: readonly unknown[], body?: ByteStream): Promise<T> {
    return this.#send((call) => ({ type: "call", call, method, args }), body);
  }

  /** A body that the child reads. */
  body(body: number): ByteStream {
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      const piece = await this.#send<Uint8Array | undefined>((call) => ({ type: "next", call, body }));
      return piece === undefined ? { done: true, value: undefined } : { done: false, value: piece };
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || !this.#child.connected) return;
    await this.call("close", []);
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.disconnect();
    await ended;
  }

  #send<T>(make: (call: number) => ToChild, body?: ByteStream): Promise<T> {
    this.#lastCall += 1;
    const call = this.#lastCall;
    return new Promise<T>((resolve, reject) => {
      this.#calls.set(call, {
        resolve: resolve as Call["resolve"],
        reject,
        body: body?.[Symbol.asyncIterator](),
      });
      this.#child.send(make(call));
    });
  }

  async #receive(message: FromChild): Promise<void> {
    const found = this.#calls.get(message.call);
    if (found === undefined) return;
    if (message.type === "pull") {
      const next = await found.body?.next();
      const piece = next?.done === true ? undefined : next?.value;
      const answer: ToChild = { type: "piece", call: message.call, piece };
      this.#child.send(answer);
      return;
    }
    this.#calls.delete(message.call);
    if (message.type === "done") found.resolve(message.value as never);
    else if (message.code === undefined) found.reject(new Error(message.message));
    else found.reject(new GatewayError(message.code, message.message));
  }
}

/** Node 20 loads no TypeScript, so that the child is bundled once. */
async function childFile(): Promise<string> {
  built ??= bundle(folder, {
    "kit-child": new URL("./kit-child.ts", import.meta.url),
    worker: new URL("../../src/sqlite/worker.ts", import.meta.url),
  });
  await built;
  return fileURLToPath(new URL("kit-child.js", folder));
}
