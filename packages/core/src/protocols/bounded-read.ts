import type { Clock } from "../contracts/clock.ts";
import type { AnswerBody } from "./answer-body.ts";

/**
 * The whole of a body that should be small. `undefined` when it is longer than `maxBytes`, takes longer than
 * `limitMs`, or breaks off; its connection is free again in every case.
 */
export async function readAtMost(
  body: AnswerBody,
  bounds: { readonly maxBytes: number; readonly limitMs: number; readonly clock: Clock },
): Promise<Uint8Array | undefined> {
  let timedOut = false;
  const cancel = bounds.clock.after(bounds.limitMs, () => {
    timedOut = true;
    void body.return();
  });
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of body) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > bounds.maxBytes) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  } finally {
    cancel();
  }
  return timedOut ? undefined : Buffer.concat(chunks);
}

/** `bytes` as JSON; `undefined` when they are none. */
export function parseJson(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** The field `name` of `value`, when `value` is an object that has it. */
export function field(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

/** The field `name` of `value`, when it is a text that is not empty. */
export function textField(value: unknown, name: string): string | undefined {
  const text = field(value, name);
  return typeof text === "string" && text !== "" ? text : undefined;
}
