/**
 * What a `Retry-After` header asks for, in milliseconds between 0 and `maxMs`: seconds, or an HTTP date. A date is
 * held against the answer's own `Date`, so that the two clocks need not agree, else against `now`. `undefined` when
 * it says neither.
 */
export function retryAfterMs(
  header: string | undefined,
  context: { readonly date: string | undefined; readonly now: number; readonly maxMs: number },
): number | undefined {
  const text = header?.trim();
  if (text === undefined || text === "") return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return bounded(Number(text) * 1000, context.maxMs);
  const at = httpDate(text);
  if (at === undefined) return undefined;
  return bounded(at - (httpDate(context.date) ?? context.now), context.maxMs);
}

// Date.parse also takes "5 apples" and "-3"; an HTTP date begins with a day's name.
function httpDate(text: string | undefined): number | undefined {
  if (text === undefined || !/^(mon|tue|wed|thu|fri|sat|sun)/i.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}

function bounded(ms: number, maxMs: number): number {
  return Math.min(Math.max(0, Math.ceil(ms)), maxMs);
}
