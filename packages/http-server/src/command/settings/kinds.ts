import { z } from "zod";

/** What was read from a text of the command line or the environment, or from a value of a configuration file. */
type Reading<T> = { readonly value: T } | { readonly fix: string };

/** A kind of value that settings have. */
export interface Kind<T> {
  /** What stands for a value in a help text; absent where a flag alone is enough. */
  readonly placeholder?: string | undefined;
  /** For the reference. */
  readonly type: string;
  /** Whether a flag of it may be repeated. */
  readonly isList?: boolean | undefined;
  /** Reads a value, or says what to give in its place. */
  read(given: unknown): Reading<T>;
}

/** A kind of what `schema` takes; `fix` is what to give in place of anything else. */
export function kindOf<T>(schema: z.ZodType<T>, fix: string, about: Omit<Kind<T>, "read">): Kind<T> {
  return {
    ...about,
    read(given) {
      const parsed = schema.safeParse(given);
      return parsed.success ? { value: parsed.data } : { fix };
    },
  };
}

/** Numbers are also given as text, by flags and by the environment. */
export function wholeNumberSchema(least: number, most: number): z.ZodType<number> {
  return z.preprocess(
    (given) => (typeof given === "string" && /^\d{1,16}$/.test(given) ? Number(given) : given),
    z.int().min(least).max(most),
  );
}

function rangeOf(least: number, most: number): string {
  return most === Number.MAX_SAFE_INTEGER ? `${least} on` : `${least} to ${most}`;
}

export function wholeNumber(least: number, most: number): Kind<number> {
  const type = `whole number from ${rangeOf(least, most)}`;
  return kindOf(wholeNumberSchema(least, most), `give a ${type}`, { placeholder: "N", type });
}

/** `off`, in a file also `false`. */
const off = z.literal(["off", false]).transform((): false => false);

/** A number, or nothing at all. */
export function wholeNumberOrOff(least: number, most: number): Kind<number | false> {
  const type = `whole number from ${rangeOf(least, most)}`;
  const schema = z.union([off, wholeNumberSchema(least, most)]);
  return kindOf(schema, `give a ${type}, or off`, { placeholder: "N", type: `${type}, or \`off\`` });
}

export function text(placeholder: string): Kind<string> {
  return kindOf(z.string().min(1), "give a text that is not empty", { placeholder, type: "text" });
}

/** A text of another form, which `isGood` looks at. */
export function textThat(
  placeholder: string,
  type: string,
  isGood: (text: string) => boolean,
  fix: string,
): Kind<string> {
  return kindOf(z.string().refine(isGood), fix, { placeholder, type });
}

export function oneOf<const T extends string>(names: readonly T[], placeholder: string): Kind<T> {
  const type = names.map((name) => `\`${name}\``).join(", ");
  return kindOf(z.literal(names), `give ${names.join(", ")}`, { placeholder, type });
}

/** As a flag, it stands for `true` when nothing follows an equals sign. */
export const yesOrNo: Kind<boolean> = kindOf(
  z.union([
    z.boolean(),
    z.stringbool({ truthy: ["true", "1", "yes", "on"], falsy: ["false", "0", "no", "off"] }),
  ]),
  "give true or false",
  { type: "`true` or `false`" },
);

export function isHttpUrl(given: string): boolean {
  if (!URL.canParse(given)) return false;
  const { protocol, search, hash } = new URL(given);
  return /^https?:$/.test(protocol) && search === "" && hash === "";
}

export { off as offSchema };
