import type { ObjectStat, Page } from "@modelgate/core";
import type { S3Connection } from "./connection.ts";
import { keyOf, namePrefixOf } from "./object-name.ts";
import type { Operation } from "./operation.ts";
import type { S3Settings } from "./options.ts";
import { contentsOf, textOf } from "./xml.ts";

const PAGE = 1000;

/**
 * One page of objects whose key begins with `prefix`. The cursor is the last name of the page before, not the server's
 * own token: names that come and go in between do not matter to it, and it does not expire.
 */
export async function listObjects(
  connection: S3Connection,
  prefix: string,
  cursor: string | undefined,
  operation: Operation,
): Promise<Page<ObjectStat>> {
  const { prefix: own } = connection.settings;
  const namePrefix = namePrefixOf(own, prefix);
  if (namePrefix === undefined) return { items: [] };
  // MinIO refuses a prefix that ends in a part of dots; what lies before that part is searched instead.
  const asked = namePrefix.replace(/(?<=^|\/)\.{1,2}$/, "");
  const query = [
    "encoding-type=url",
    "list-type=2",
    `max-keys=${PAGE}`,
    `prefix=${encodeName(asked)}`,
    ...(cursor === undefined ? [] : [`start-after=${encodeName(cursor)}`]),
  ].join("&");
  const { text } = await connection.call({ method: "GET", query }, operation);
  const isUrl = textOf(text, "EncodingType") === "url";
  let last: string | undefined;
  const items = contentsOf(text, "Contents").flatMap((content) => {
    const name = decodeName(textOf(content, "Key") ?? "", isUrl);
    last = name;
    const key = name.startsWith(namePrefix) ? keyOf(own, name) : undefined;
    return key === undefined ? [] : [{ key, ...statOf(content) }];
  });
  if (last === undefined || textOf(text, "IsTruncated") !== "true") return { items };
  const isBeyond = last > namePrefix && !last.startsWith(namePrefix);
  return isBeyond ? { items } : { items, nextCursor: last };
}

/** Asks for as little as makes a server look whether the bucket is there; for no object at all, MinIO does not look. */
export function smallestList({ prefix }: Pick<S3Settings, "prefix">): string {
  return `list-type=2&max-keys=1&prefix=${encodeName(prefix)}`;
}

/** As the signature wants it: all but unreserved characters. */
export function encodeName(name: string): string {
  return encodeURIComponent(name).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Names may hold what XML cannot; servers that know `encoding-type` write them as in a form. */
export function decodeName(name: string, isUrl: boolean): string {
  if (!isUrl) return name;
  try {
    return decodeURIComponent(name.replaceAll("+", " "));
  } catch {
    return name;
  }
}

function statOf(content: string): Omit<ObjectStat, "key"> {
  // Elsewhere S3 tells this time in whole seconds only; it shall be the same wherever it is asked for.
  const modifiedAtMs = Date.parse(textOf(content, "LastModified") ?? "");
  return {
    sizeBytes: Number(textOf(content, "Size")),
    modifiedAtMs: Math.floor(modifiedAtMs / 1000) * 1000,
  };
}
