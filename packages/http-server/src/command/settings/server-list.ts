import { z } from "zod";
import { type Kind, kindOf } from "./kinds.ts";

const server = z.object({
  name: z.string().min(1),
  url: z.string().refine((url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)),
  limit: z.number().int().min(1).max(10_000).optional(),
  username: z.string().min(1).optional(),
  password: z.string().min(1).optional(),
  passwordFile: z.string().min(1).optional(),
  token: z.string().min(1).optional(),
  tokenFile: z.string().min(1).optional(),
});

/** A model, the address of a server for it, how much that server does at once, and as whom it is spoken to. */
export type ServerSetting = Readonly<z.output<typeof server>>;

/**
 * A file names servers as `{ "NAME": "URL" }`, `{ "NAME": { "url": "URL", "limit": 4 } }` or with a list of either; flags
 * and the environment as NAME=URL or NAME=URL#limit=4. Credentials stand in a file only: a command line is seen by all.
 */
export const serverList: Kind<readonly ServerSetting[]> = kindOf(
  z.preprocess(listOf, z.array(server)),
  "give NAME=URL or NAME=URL#limit=N, where URL begins with http:// or https:// and N is from 1 to 10,000",
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
    [urls].flat().map((each: unknown) => {
      if (typeof each === "string") return fromText(name, each);
      return typeof each === "object" ? { ...each, name } : each;
    }),
  );
}

function splitServer(given: unknown): unknown {
  if (typeof given !== "string") return given;
  const at = given.indexOf("=");
  return fromText(given.slice(0, Math.max(0, at)), given.slice(at + 1));
}

/** What follows the `#` of an address never reaches a server, so that it is free to say something of it. */
function fromText(name: string, given: string): unknown {
  const at = given.indexOf("#");
  if (at < 0) return { name, url: given };
  const [, limit = ""] = /^#limit=(\d{1,5})$/.exec(given.slice(at)) ?? [];
  return { name, url: given.slice(0, at), limit: limit === "" ? Number.NaN : Number(limit) };
}
