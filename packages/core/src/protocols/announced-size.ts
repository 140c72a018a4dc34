/** What a `content-length` says; `undefined` for one that is absent, came twice, or is no number. */
export function announcedSize(header: string | readonly string[] | undefined): number | undefined {
  return typeof header === "string" && /^\d+$/.test(header) ? Number(header) : undefined;
}
