const ISO =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,9}))?(?:(Z)|([+ -])(\d\d):?(\d\d)?)?)?$/i;

/**
 * An instant in ISO 8601, or in milliseconds since 1970; `undefined` when it is neither. Without an offset it is UTC.
 * A space stands for the `+` of an offset that nobody percent-encoded.
 */
export function readTime(text: string): number | undefined {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const found = ISO.exec(text);
  if (found === null) return undefined;
  const [, date, minutes = "00:00", seconds = ":00", fraction = "", , sign = "+", hours = "00", rest = "00"] =
    found;
  const milliseconds = fraction.slice(0, 3).padEnd(3, "0");
  const offset = `${sign === "-" ? "-" : "+"}${hours}:${rest}`;
  const atMs = Date.parse(`${date}T${minutes}${seconds}.${milliseconds}${offset}`);
  // The host takes the 30th of February for a day in March.
  const isDay = !Number.isNaN(atMs) && new Date(`${date}T00:00Z`).toISOString().startsWith(String(date));
  return isDay ? atMs : undefined;
}
