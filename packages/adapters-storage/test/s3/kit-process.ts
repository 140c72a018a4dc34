import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { type ByteStream, GatewayError, type ObjectStore } from "@modelgate/core";
import { build } from "esbuild";
import type { S3ObjectStoreOptions } from "../../src/s3/index.ts";
import type { FromChild, ToChild } from "../filesystem/kit-wire.ts";

const kitChild = new URL("./kit-child.ts", import.meta.url);
const folder = new URL("../../node_modules/.cache/s3-test/", import.meta.url);

/** An object store that another process has open on the same bucket. */
export async function objectsElsewhere(options: S3ObjectStoreOptions): Promise<ObjectStore> {
  const file = await bundled(kitChild);
  const arg = JSON.stringify(options);
  const child = new StoreProcess(fork(file, [arg], { serialization: "advanced", execArgv: [] }));
  return {
    capabilities: { durable: true, shared: true, presign: true },
    put: (key, body) => child.call("put", [key, "body"], body),
    async get(key, how) {
      const found = await child.call<{ body: number } | undefined>("get", [key, { range: how?.range }]);
      return found && ({ ...found, body: child.body(found.body) } as never);
    },
    stat: (key) => child.call("stat", [key]),
    delete: (keys) => child.call("delete", [keys]),
    list: (prefix, cursor) => child.call("list", [prefix, cursor]),
    presign: (key, expiresInMs) => child.call("presign", [key, expiresInMs]),
    close: () => child.end(),
  };
}

/** The exit code of a process that opens a store, uses it, closes it, and ends when nothing keeps it. */
export async function exitCodeOf(options: S3ObjectStoreOptions): Promise<number | null> {
  const file = await bundled(kitChild);
  const child = spawn(process.execPath, [file, JSON.stringify(options), "once"], { stdio: "inherit" });
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

  constructor(child: ChildProcess) {
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
    const ended = once(this.#child, "exit");
    this.#child.disconnect();
    await ended;
  }

  #send<T>(make: (call: number) => ToChild, body?: ByteStream): Promise<T> {
    this.#lastCall += 1;
    const call = this.#lastCall;
    return new Promise<T>((resolve, reject) => {
      const kept = { resolve: resolve as Call["resolve"], reject, body: body?.[Symbol.asyncIterator]() };
      this.#calls.set(call, kept);
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

const builds = new Map<string, Promise<string>>();

/** The file of a child process; Node 20 loads no TypeScript, so that it is bundled once. */
export function bundled(source: URL): Promise<string> {
  const building = builds.get(source.href) ?? bundle(source);
  builds.set(source.href, building);
  return building;
}

async function bundle(source: URL): Promise<string> {
  const name = basename(source.pathname, ".ts");
  await mkdir(folder, { recursive: true });
  await writeFile(new URL("package.json", folder), '{"type":"module"}');
  const unfinished = fileURLToPath(new URL(`${name}.${process.pid}.${Math.random()}.js`, folder));
  await build({
    entryPoints: [fileURLToPath(source)],
    outfile: unfinished,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["@modelgate/source"],
    external: ["minio"],
    logLevel: "warning",
  });
  const file = fileURLToPath(new URL(`${name}.js`, folder));
  await rename(unfinished, file);
  return file;
}
