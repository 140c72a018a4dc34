const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The milliseconds of `90s`, `30m`, `24h`, `7d` or `1h30m`; `undefined` for anything else. */
export function readDuration(text: string): number | undefined {
  if (!/^(\d{1,9}[smhd])+$/.test(text)) return undefined;
  const parts = text.match(/\d+[smhd]/g) ?? [];
  return parts.reduce((sum, part) => sum + Number(part.slice(0, -1)) * (UNITS_MS[part.slice(-1)] ?? 0), 0);
}
