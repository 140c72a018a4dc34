import { GatewayError, type LogLine, type LogOptions } from "@modelgate/core";
import type { EngineConnection } from "../connection/connection.ts";
import { EngineError } from "../connection/engine-error.ts";
import type { DockerLabels } from "../labels.ts";
import { type Container, inspectContainer, pathOf, refusedBy, requireOurs } from "./containers.ts";
import { checkWhole } from "./invalid.ts";
import { type LogFrame, logFrames, logLines } from "./log-frames.ts";
import { secretNames } from "./own-labels.ts";
import { secretsOf } from "./secret-mask.ts";

const ENOUGH = new Error("the reader has left");
const MOST_LINES = 1_000_000;

/**
 * What a server wrote, at the reader's pace. Not a plain generator: its `return()` would wait for a line that a silent
 * server never writes.
 */
export function readLogs(
  connection: EngineConnection,
  labels: DockerLabels,
  id: string,
  options: LogOptions,
): AsyncIterable<LogLine> {
  return {
    [Symbol.asyncIterator]: () => {
      const leaving = new AbortController();
      const lines = linesOf(connection, labels, id, options, leaving);
      let waiting = 0;
      return {
        async next() {
          waiting += 1;
          try {
            return await lines.next();
          } catch (error) {
            if (error === ENOUGH) return { done: true, value: undefined };
            throw error;
          } finally {
            waiting -= 1;
          }
        },
        async return() {
          if (waiting > 0) leaving.abort(ENOUGH);
          await lines.return(undefined).catch(() => {});
          return { done: true, value: undefined };
        },
      };
    },
  };
}

async function* linesOf(
  connection: EngineConnection,
  labels: DockerLabels,
  id: string,
  { installation, isAdopted, tail = 100, follow = false, signal: given }: LogOptions,
  leaving: AbortController,
): AsyncGenerator<LogLine, undefined> {
  const { signal } = leaving;
  checkWhole(tail, "tail", 0, MOST_LINES);
  given?.throwIfAborted();
  const onAbort = (): void => leaving.abort(given?.reason);
  given?.addEventListener("abort", onAbort, { once: true });
  try {
    const container = await inspectContainer(connection, id, { signal });
    if (container === undefined) {
      throw new GatewayError("DEPLOYMENT_UNKNOWN", `the engine has no container ${id.slice(0, 64)}`);
    }
    requireOurs(container, labels, { installation, isAdopted });
    const query = { stdout: true, stderr: true, follow, tail };
    const { body } = await connection.stream({ path: pathOf(id, "logs"), query, signal });
    const frames = container.Config.Tty ? oneStream(body) : logFrames(body);
    for await (const line of logLines(frames, secretsIn(container))) {
      signal.throwIfAborted();
      yield line;
    }
  } catch (error) {
    if (!EngineError.is(error)) throw error;
    if (error.status === 404) throw new GatewayError("DEPLOYMENT_UNKNOWN", "the container is gone");
    if (/does not support reading/i.test(error.reason)) {
      throw new GatewayError("UNSUPPORTED", "the log of this server goes elsewhere, and cannot be read here");
    }
    throw refusedBy(error);
  } finally {
    given?.removeEventListener("abort", onAbort);
  }
}

/** The engine itself shows the environment to whoever may ask it. */
function secretsIn({ Config: { Env, Labels } }: Container): readonly string[] {
  const env = Object.fromEntries(
    (Env ?? []).map((entry) => {
      const [name = "", ...value] = entry.split("=");
      return [name, value.join("=")];
    }),
  );
  return secretsOf(env, secretNames(Labels ?? {}));
}

async function* oneStream(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<LogFrame> {
  for await (const bytes of chunks) yield { stream: "stdout", bytes };
}
