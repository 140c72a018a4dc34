const UNKNOWN_TRACE = "0".repeat(32);
const UNKNOWN_PARENT = "0".repeat(16);

/**
 * The trace that a `traceparent` of W3C Trace Context names; `undefined` for one that is not valid. Of a version that is
 * not known yet, what follows the first four parts is passed over, as the specification asks.
 */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  if (traceparent === undefined) return undefined;
  const found = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/.exec(traceparent);
  if (found === null) return undefined;
  const [, version, trace, parent, rest] = found;
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  return trace === UNKNOWN_TRACE || parent === UNKNOWN_PARENT ? undefined : trace;
}
