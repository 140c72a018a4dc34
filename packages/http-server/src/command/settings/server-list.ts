import { z } from "zod";
import { type Kind, kindOf } from "./kinds.ts";

const server = z.object({
  name: z.string().min(1),
  url: z.string().refine((url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)),
});

/** A model, and the address of a server for it. */
export type ServerSetting = Readonly<z.output<typeof server>>;

/** A file names servers as `{ "NAME": "URL" }`, or with a list of addresses; flags and the environment as NAME=URL. */
export const serverList: Kind<readonly ServerSetting[]> = kindOf(
  z.preprocess(listOf, z.array(server)),
  "give NAME=URL, where URL begins with http:// or https://",
  { placeholder: "NAME=URL", type: "list of `NAME=URL`; in a file also an object", isList: true },
);

function listOf(given: unknown): unknown {
  if (typeof given === "string") {
    const parts = given.split(/[\s,]+/).filter((part) => part !== "");
    return parts.map(splitServer);
  }
  if (Array.isArray(given)) return given.map(splitServer);
  if (typeof given !== "object" || given === null) return given;
  return Object.entries(given).flatMap(([name, urls]: [string, unknown]) =>
    [urls].flat().map((url) => ({ name, url })),
  );
}

function splitServer(given: unknown): unknown {
  if (typeof given !== "string") return given;
  const at = given.indexOf("=");
  return { name: given.slice(0, Math.max(0, at)), url: given.slice(at + 1) };
}
