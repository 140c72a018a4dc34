import type { ServerAnswer } from "@modelgate/core";
import type { HttpContext } from "../context.ts";
import { discard, readText } from "../read-stream.ts";
import { beforeAbort, TimedReader } from "./timed-reader.ts";

/** What a server says of itself is a few kilobytes; whoever sends more is left out. */
const MAX_INFO_BYTES = 1024 * 1024;
/** What is larger is asked for each time, so that what is kept has a bound. */
const MAX_KEPT_CHARACTERS = 64 * 1024;
const KEPT_MS = 5_000;

/** What a server says of itself: its own text, because parsing and printing it again would change long numbers. */
export interface Info {
  readonly text: string;
  readonly value: unknown;
}

/** Asks servers, by the names of their models, what they are. What is no JSON counts as nothing. */
export function createInfoReader({ gateway, options }: HttpContext): TimedReader<Info> {
  return new TimedReader({
    ask: async (model, signal) => {
      const value = await beforeAbort(gateway.info(model, { signal }).then(parseInfo), signal);
      return { value, keepMs: (value?.text.length ?? 0) > MAX_KEPT_CHARACTERS ? 0 : KEPT_MS };
    },
    timeoutMs: options.infoTimeoutMs,
    maxAsked: 32,
    maxKept: 500,
    keepFailuresMs: KEPT_MS,
  });
}

async function parseInfo({ status = 200, body }: ServerAnswer): Promise<Info | undefined> {
  if (status >= 300) {
    await discard(body);
    return undefined;
  }
  const text = await readText(body, MAX_INFO_BYTES);
  return text === undefined ? undefined : { text, value: JSON.parse(text) };
}
