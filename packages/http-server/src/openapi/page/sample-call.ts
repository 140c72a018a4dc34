import type { Example } from "../operation.ts";

/** A request as it is typed into a shell. */
export function sampleCall(base: string, method: string, pattern: string, example: Example): string {
  const path = pattern.replaceAll(/:(\w+)/g, (_, name: string) =>
    encodeURIComponent(example.path?.[name] ?? ""),
  );
  const query = example.query === undefined ? "" : `?${example.query}`;
  const parts = [`curl${method === "GET" ? "" : ` -X ${method}`} ${quoted(`${base}${path}${query}`)}`];
  const { body, headers = {} } = example;
  const all = { ...(body !== undefined && { "Content-Type": body.type }), ...headers };
  for (const [name, value] of Object.entries(all)) parts.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body !== undefined) {
    const text = typeof body.value === "string" ? body.value : JSON.stringify(body.value);
    parts.push(`--data ${quoted(text)}`);
  }
  return parts.join(" \\\n  ");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
