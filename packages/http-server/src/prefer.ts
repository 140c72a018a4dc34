/**
 * What `Prefer: wait=N` asks for (RFC 7240). Preferences are wishes: what cannot be understood is passed over, and of
 * several waits the first counts.
 */
export function preferredWaitSeconds(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  for (const preference of header.split(",")) {
    const found = WAIT.exec(preference);
    if (found !== null) return Number(found[1] ?? found[2]);
  }
  return undefined;
}

/** The same header without what it says of waiting; `undefined` when nothing else is in it. */
export function withoutWait(header: string): string | undefined {
  const others = header.split(",").filter((preference) => !WAIT.test(preference));
  return others.length === 0 ? undefined : others.join(",").trim();
}

const WAIT = /^\s*wait\s*=\s*(?:"(\d+)"|(\d+))\s*(?:;.*)?$/i;
