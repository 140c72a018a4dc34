import { z } from "zod";
import { type Kind, kindOf } from "./kinds.ts";

const credentials = z.union([
  z.strictObject({ username: z.string().min(1), password: z.string().min(1) }),
  z.strictObject({ identityToken: z.string().min(1) }),
]);

/** Credentials by the host of a registry. */
export const registryList: Kind<Readonly<Record<string, z.output<typeof credentials>>>> = kindOf(
  z.preprocess(fromJson, z.record(z.string().regex(/^[\w.-]+(:\d{1,5})?$/), credentials)),
  'give {"HOST": {"username": "…", "password": "…"}} or {"HOST": {"identityToken": "…"}}, outside of a file as JSON',
  { placeholder: "JSON", type: "object by host; outside of a file as JSON" },
);

function fromJson(given: unknown): unknown {
  if (typeof given !== "string") return given;
  try {
    return JSON.parse(given);
  } catch {
    return undefined;
  }
}
