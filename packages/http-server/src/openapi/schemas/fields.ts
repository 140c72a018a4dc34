import { z } from "zod";
import { FALSE_FORMS, TRUE_FORMS } from "../../query.ts";
import { readTime } from "../../read-time.ts";

/** What is written in a query is text; readers are told of the number or the boolean that it stands for. */
function shownAs<Schema extends z.ZodType>(schema: Schema, shown: Readonly<Record<string, unknown>>): Schema {
  return schema.meta({ pattern: undefined, ...shown });
}

/** Patterns of JSON Schema know no flags. */
function anyCase(word: string): string {
  return [...word].map((each) => (/[a-z]/.test(each) ? `[${each}${each.toUpperCase()}]` : each)).join("");
}

const booleanForms = new RegExp(`^(?:${[...TRUE_FORMS, ...FALSE_FORMS].map(anyCase).join("|")})$`);

export function booleanParameter(description: string): z.ZodType {
  return shownAs(z.string().regex(booleanForms), { type: "boolean", default: false, description }).optional();
}

/** A whole number without a sign, of four digits at most. */
export function countParameter(most: number, shown: Readonly<Record<string, unknown>>): z.ZodType {
  const schema = z
    .string()
    .regex(/^\d{1,4}$/)
    .refine((text) => Number(text) >= 1 && Number(text) <= most);
  return shownAs(schema, { type: "integer", minimum: 1, maximum: most, ...shown }).optional();
}

export const priorityText: z.ZodType = shownAs(z.string().regex(/^\s*(?:\+?0*(?:\d|10)|-0+)\s*$/), {
  type: "integer",
  minimum: 0,
  maximum: 10,
  description: "0 (background) to 10 (urgent); 5 by default.",
});

export function timeParameter(description: string): z.ZodType {
  return z
    .string()
    .refine((text) => readTime(text) !== undefined)
    .meta({ description, examples: ["2026-11-20T23:11:56Z", "1795216316654"] })
    .optional();
}

/** A text without NUL. */
export function textParameter(most: number, description: string): z.ZodType {
  return (
    z
      .string()
      .max(most)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be in it.
      .regex(/^[^\x00]*$/)
      .meta({ description })
      .optional()
  );
}

/** Fields of bodies take `null` for nothing, as callers in Python send it. */
function orNull(schema: z.ZodType, description: string): z.ZodType {
  return schema.nullish().meta({ description });
}

interface TextBounds {
  readonly least?: number;
  readonly most?: number;
  /** Whether white space around it does not count. */
  readonly isTrimmed?: boolean;
}

/** With bounds, it is also held to be whole characters without NUL, as what a store keeps. */
export function textField(description: string, bounds?: TextBounds): z.ZodType {
  if (bounds === undefined) return orNull(z.string(), description);
  const { least = 0, most = Number.POSITIVE_INFINITY, isTrimmed = false } = bounds;
  const isText = (given: string): boolean => {
    const text = isTrimmed ? given.trim() : given;
    if (most === Number.POSITIVE_INFINITY) return true;
    return text.length >= least && text.length <= most && !text.includes("\0") && text.isWellFormed();
  };
  const shown = { ...(least > 0 && { minLength: least }), ...(Number.isFinite(most) && { maxLength: most }) };
  return orNull(z.string().refine(isText).meta(shown), description);
}

/** A whole number, also one written as a text. */
export function integerField(description: string): z.ZodType {
  const text = z.string().regex(/^\s*[+-]?\d+\s*$/);
  return orNull(z.union([wholeNumber(), text]), description);
}

/** The same, above 0. */
export function positiveField(description: string, most: number): z.ZodType {
  const number = z.number().gt(0).max(most).refine(Number.isInteger).meta({ type: "integer" });
  const text = z
    .string()
    .regex(/^\s*\+?0*[1-9]\d*\s*$/)
    .refine((digits) => Number(digits) <= most);
  return orNull(z.union([number, text]), description);
}

/** A boolean, also one of the words and numbers for it. */
export function booleanField(description: string): z.ZodType {
  const number = z.union([z.literal(0), z.literal(1)]);
  return orNull(z.union([z.boolean(), number, z.string().regex(booleanForms)]), description);
}

/** Of any size: `z.int` takes none that a double does not hold exactly. */
function wholeNumber(): z.ZodNumber {
  return z.number().refine(Number.isInteger).meta({ type: "integer" });
}

/** As Python writes an instant in UTC. */
export const instant: z.ZodType = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/)
  .meta({ format: "date-time", examples: ["2026-11-20T23:11:56.654000+00:00"] });

/** A number of things that are there. */
export const count: z.ZodType = z.number().int().min(0);

/** What another one wrote: any JSON. */
export function anything(description: string): z.ZodType {
  return z.unknown().meta({ description });
}
