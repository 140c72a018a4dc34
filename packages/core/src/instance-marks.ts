/**
 * What names an incarnation of a server. It may hold several marks, each by its own source, with spaces between:
 * `header:boot-1 process:1763763446.12`. A text without a known source is one mark of a source without a name.
 * Marks of different sources say nothing about each other.
 */

/** Sources by which a server itself says which process it is. */
const SOURCES = ["header", "process"] as const;
type MarkSource = (typeof SOURCES)[number];

export function instanceMark(source: MarkSource, value: string): string {
  return `${source}:${encodeURIComponent(value)}`;
}

/** The value of one source, if `instance` has a mark of it. */
export function markOf(instance: string | undefined, source: MarkSource): string | undefined {
  const value = marksOf(instance).get(source);
  return value === undefined ? undefined : decodeURIComponent(value);
}

/** The marks of both; of one source the later. */
export function mergeInstances(earlier: string | undefined, later: string | undefined): string | undefined {
  const marks = new Map([...marksOf(earlier), ...marksOf(later)]);
  if (marks.size === 0) return undefined;
  return [...marks].map(([source, value]) => (source === "" ? value : `${source}:${value}`)).join(" ");
}

/** Whether two names stand for one incarnation; `unknown` when no source has named both. */
export function compareInstances(
  one: string | undefined,
  other: string | undefined,
): "same" | "other" | "unknown" {
  const marks = marksOf(other);
  let result: "same" | "unknown" = "unknown";
  for (const [source, value] of marksOf(one)) {
    const compared = marks.get(source);
    if (compared === undefined) continue;
    if (compared !== value) return "other";
    result = "same";
  }
  return result;
}

function marksOf(instance: string | undefined): Map<string, string> {
  const marks = new Map<string, string>();
  const plain: string[] = [];
  for (const part of instance?.split(" ") ?? []) {
    const source = SOURCES.find((known) => part.startsWith(`${known}:`));
    if (source === undefined) plain.push(part);
    else marks.set(source, part.slice(source.length + 1));
  }
  if (plain.length > 0) marks.set("", plain.join(" "));
  return marks;
}
