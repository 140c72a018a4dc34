/** An address without what may be a secret: its user, password, query and fragment. */
export function shownAddress(address: string): string {
  if (!URL.canParse(address)) return "(given)";
  const { protocol, host, pathname } = new URL(address);
  const path = pathname.replaceAll("%7B", "{").replaceAll("%7D", "}");
  return `${protocol}//${host}${path === "/" ? "" : path}`;
}
