import { Dice } from "./dice.ts";
import type { RawCase } from "./exchange-raw.ts";
import { mutate } from "./mutations.ts";
import { type Draft, validRequest } from "./valid-requests.ts";
import { writeRequest } from "./write-request.ts";

export interface FuzzTarget {
  /** Ids of tasks that are there. */
  readonly ids: readonly string[];
  readonly adminKey: string;
}

/** What one case does, over a bare connection or by `fetch`. */
export type FuzzCase = {
  readonly number: number;
  /** How it was spoilt, for people. */
  readonly names: readonly string[];
  readonly requests: number;
  /** How many of them may be retries, whose tasks tell of the first submitter. */
  readonly retries: number;
} & (
  | { readonly raw: RawCase }
  | { readonly raw: undefined; readonly draft: Draft; readonly abortAfterMs: number | undefined }
);

/** By whom a task was submitted, as the gateway notes it. */
export function agentOf(number: number): string {
  return `fuzz-${number}-`;
}

/** Ends a connection whose requests were all understood, and shows that they were. */
const LAST = "GET /?last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

export function makeCase(seed: number, number: number, target: FuzzTarget): FuzzCase {
  const dice = new Dice(seed, number);
  const kind = dice.below(100);
  if (kind < 4) return raw(number, ["random bytes"], 1, { bytes: dice.bytes(dice.pick([1, 50, 3_000])) });
  if (kind < 16) {
    const draft = validRequest(dice, target.ids, target.adminKey);
    const names = ["by fetch", ...mutate(draft, dice)];
    const abortAfterMs = dice.chance(0.2) ? dice.below(20) : undefined;
    return {
      number,
      names,
      requests: 1,
      retries: retriesIn(draft.target),
      raw: undefined,
      draft,
      abortAfterMs,
    };
  }
  const requests = dice.chance(0.15) ? 2 + dice.below(4) : 1;
  const names: string[] = requests > 1 ? [`${requests} requests at once`] : [];
  const written: Buffer[] = [];
  for (let count = requests; count > 0; count -= 1) {
    const draft = validRequest(dice, target.ids, target.adminKey);
    names.push(...mutate(draft, dice));
    const request = writeRequest(draft, dice, agentOf(number), dice.chance(0.12));
    names.push(...request.names);
    written.push(request.bytes);
  }
  let bytes = Buffer.concat([...written, Buffer.from(LAST)]);
  if (dice.chance(0.05)) {
    const at = dice.below(bytes.byteLength);
    bytes = Buffer.concat([bytes.subarray(0, at), dice.bytes(1), bytes.subarray(at + 1)]);
    names.push("one byte changed");
  }
  const hangUpAfter = dice.chance(0.12) ? dice.below(bytes.byteLength + 1) : undefined;
  if (hangUpAfter !== undefined) names.push(`hung up after ${hangUpAfter} bytes`);
  const pieces = dice.chance(0.15) ? 2 + dice.below(10) : 1;
  return raw(number, names, requests, { bytes, pieces, hangUpAfter });
}

function raw(
  number: number,
  names: readonly string[],
  requests: number,
  { bytes, pieces = 1, hangUpAfter }: Partial<RawCase> & Pick<RawCase, "bytes">,
): FuzzCase {
  const retries = retriesIn(bytes.toString("latin1"));
  return { number, names, requests, retries, raw: { bytes, pieces, hangUpAfter } };
}

function retriesIn(text: string): number {
  return text.split("/retry").length - 1;
}
