import { z } from "zod";
import { type Kind, kindOf, offSchema, wholeNumberSchema } from "./kinds.ts";

const DAY_MS = 86_400_000;

export const DEFAULT_RETENTION = {
  payloadMs: 7 * DAY_MS,
  resultMs: 7 * DAY_MS,
  rowMs: 30 * DAY_MS,
} as const;

const age = wholeNumberSchema(0, 3650 * DAY_MS);

/** Ages that are left out have their default; with none at all, nothing was said. */
const ages = z
  .strictObject({ payloadMs: age.optional(), resultMs: age.optional(), rowMs: age.optional() })
  .refine((given) => Object.keys(given).length > 0)
  .transform(({ payloadMs, resultMs, rowMs }) => ({
    payloadMs: payloadMs ?? DEFAULT_RETENTION.payloadMs,
    resultMs: resultMs ?? DEFAULT_RETENTION.resultMs,
    rowMs: rowMs ?? DEFAULT_RETENTION.rowMs,
  }));

const schema = z.union([offSchema, z.preprocess(fromPairs, ages)]);

/** Ages after the ending, or `false` where all is kept. */
export type Retention = z.output<typeof schema>;

export const retention: Kind<Retention> = kindOf(
  schema,
  'give "off", or ages in milliseconds: payloadMs=N,resultMs=N,rowMs=N (in a file: false, or an object)',
  {
    placeholder: "AGES",
    type: "`off`, or `payloadMs=N,resultMs=N,rowMs=N`; in a file `false`, or an object",
  },
);

function fromPairs(given: unknown): unknown {
  if (typeof given !== "string") return given;
  return Object.fromEntries(
    given.split(",").map((pair) => [pair.split("=", 1)[0] ?? "", pair.slice(pair.indexOf("=") + 1)]),
  );
}
