const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
] as const;

/** `0.3 s`, `12 s`, `3 m 5 s`, `2 h 10 m`, `3 d 4 h`. */
export function durationText(durationMs: number): string {
  const ms = Math.max(0, durationMs);
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const at = UNITS.findIndex(([, unitMs]) => ms >= unitMs);
  const [unit, unitMs] = UNITS[at] ?? ["s", 1000];
  if (unit === "s") return `${Math.round(ms / 1000)} s`;
  const [lower, lowerMs] = UNITS[at + 1] ?? ["s", 1000];
  return `${Math.floor(ms / unitMs)} ${unit} ${Math.floor((ms % unitMs) / lowerMs)} ${lower}`;
}
