/** Docker 20.10; older engines lack what is asked of them. */
export const LOWEST_API = "1.41";

/** The newest whose answers are known to be read rightly. */
export const HIGHEST_API = "1.52";

/** The two numbers of a version; undefined when it is none. */
export function parseVersion(text: string): readonly [major: number, minor: number] | undefined {
  const match = /^(\d{1,4})\.(\d{1,4})$/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

/** Below 0 when `one` is older than `other`. */
function compareVersions(one: string, other: string): number {
  const [major, minor] = parseVersion(one) ?? [0, 0];
  const [otherMajor, otherMinor] = parseVersion(other) ?? [0, 0];
  return major - otherMajor || minor - otherMinor;
}

export function isSupported(version: string): boolean {
  return compareVersions(version, LOWEST_API) >= 0;
}

/** What both sides know. */
export function agreedVersion(ofEngine: string): string {
  return compareVersions(ofEngine, HIGHEST_API) < 0 ? ofEngine : HIGHEST_API;
}
