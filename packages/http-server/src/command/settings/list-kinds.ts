import { z } from "zod";
import { type Kind, kindOf } from "./kinds.ts";

/** Texts by name. */
export type TextMap = Readonly<Record<string, string>>;

/** Several texts: a list in a file, a flag for each, or one text with commas or spaces between them. */
export function textList(
  placeholder: string,
  type: string,
  isGood: (text: string) => boolean,
  fix: string,
): Kind<readonly string[]> {
  const schema = z.preprocess(
    (given) => (typeof given === "string" ? wordsOf(given) : given),
    z.array(z.string().refine(isGood)).max(1000),
  );
  return kindOf(schema, fix, { placeholder, type: `list of ${type}`, isList: true });
}

/** Texts by name: an object in a file, or a list of `NAME=TEXT` as above. */
export function textMap(
  placeholder: string,
  names: readonly string[] | undefined,
  fix: string,
): Kind<TextMap> {
  const name = names === undefined ? z.string().min(1) : z.literal(names);
  const schema = z.preprocess(
    fromPairs,
    names === undefined ? z.record(name, z.string().min(1)) : z.partialRecord(name, z.string().min(1)),
  );
  return kindOf(schema as z.ZodType<TextMap>, fix, {
    placeholder,
    type: `list of \`${placeholder}\`; in a file an object`,
    isList: true,
  });
}

function wordsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}

function fromPairs(given: unknown): unknown {
  const pairs = typeof given === "string" ? wordsOf(given) : given;
  if (!Array.isArray(pairs)) return given;
  const entries = pairs.map((pair): [string, string] => {
    const at = typeof pair === "string" ? pair.indexOf("=") : -1;
    return at < 1 ? ["", ""] : [pair.slice(0, at), pair.slice(at + 1)];
  });
  const map = Object.fromEntries(entries);
  // Two of one name are a mistake, which an object could not show.
  return Object.keys(map).length === entries.length ? map : undefined;
}
