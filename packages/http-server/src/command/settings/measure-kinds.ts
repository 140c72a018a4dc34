import { z } from "zod";
import { type Kind, kindOf, wholeNumberSchema } from "./kinds.ts";

const FACTORS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};
/** What no engine starts a container with less of. */
const LEAST_BYTES = 6 * 1024 ** 2;

/** Bytes, or a number with the unit that people use for memory. */
export const size: Kind<number> = kindOf(
  z.preprocess(bytesOf, z.int().min(LEAST_BYTES).max(Number.MAX_SAFE_INTEGER)),
  "give bytes, or a size such as 512m or 16g; at least 6m",
  { placeholder: "SIZE", type: "bytes, or a size such as `512m` or `16g`" },
);

/** The bytes of `16g`, `0.5G`, `512m` or `1048576`; anything else as it was given. */
function bytesOf(given: unknown): unknown {
  if (typeof given !== "string") return given;
  const [, number, unit = ""] = /^(\d{1,15}(?:\.\d{1,9})?)([kmgt]?)b?$/.exec(given.toLowerCase()) ?? [];
  return number === undefined ? given : Math.round(Number(number) * (FACTORS[unit] ?? Number.NaN));
}

/** A number that need not be whole. */
export function decimal(least: number, most: number): Kind<number> {
  const type = `number from ${least} to ${most}`;
  const schema = z.preprocess(
    (given) => (typeof given === "string" && /^\d{1,9}(\.\d{1,9})?$/.test(given) ? Number(given) : given),
    z.number().min(least).max(most),
  );
  return kindOf(schema, `give a ${type}`, { placeholder: "N", type });
}

/** A number, or for ever. */
export function wholeNumberOrNever(least: number, most: number): Kind<number | "never"> {
  const type = `whole number from ${least} to ${most}`;
  const schema = z.union([z.literal("never"), wholeNumberSchema(least, most)]);
  return kindOf(schema, `give a ${type}, or never`, { placeholder: "N", type: `${type}, or \`never\`` });
}
