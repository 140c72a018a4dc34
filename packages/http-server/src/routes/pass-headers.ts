import type { HeaderList } from "@modelgate/core";
import { createKeyCheck } from "../admin-key.ts";
import type { ResolvedHttpOptions } from "../options.ts";
import { withoutWait } from "../prefer.ts";

/** Those of a request's headers that are for the server. */
export type PassHeaders = (headers: HeaderList) => HeaderList;

type Options = Pick<ResolvedHttpOptions, "adminKey" | "directCredentials">;

/**
 * Leaves out what is the gateway's own. What is about a single connection is left out by whoever makes the next one.
 */
export function createPassHeaders({ adminKey, directCredentials }: Options): PassHeaders {
  const isKey = createKeyCheck(adminKey);
  const isOpen = directCredentials === "caller";

  function forServer(name: string, value: string): string | undefined {
    switch (name) {
      case "authorization":
        // The admin's key may come as a password, too.
        return isOpen && !isKey({ header: (asked) => (asked === name ? value : undefined) })
          ? value
          : undefined;
      case "cookie":
        return isOpen ? value : undefined;
      case "prefer":
        return withoutWait(value);
      case "expect":
        return undefined;
      default:
        return name.startsWith("x-modelgate-") ? undefined : value;
    }
  }

  return (headers) => {
    const sent: (readonly [string, string])[] = [];
    for (const header of headers) {
      const value = forServer(header[0].toLowerCase(), header[1]);
      if (value !== undefined) sent.push(value === header[1] ? header : [header[0], value]);
    }
    return sent;
  };
}
