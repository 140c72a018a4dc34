/**
 * What `Prefer: wait=N` asks for (RFC 7240). Preferences are wishes: what cannot be understood is passed over, and of
 * several waits the first counts.
 */
export function preferredWaitSeconds(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  for (const preference of header.split(",")) {
    const found = /^\s*wait\s*=\s*(?:"(\d+)"|(\d+))\s*(?:;.*)?$/i.exec(preference);
    if (found !== null) return Number(found[1] ?? found[2]);
  }
  return undefined;
}
