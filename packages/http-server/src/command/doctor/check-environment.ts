import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type Finding, fail, ok, warn } from "./finding.ts";

const LEAST_NODE = [20, 19] as const;
/** No release is older than this; a clock that is has lost its battery. */
const EARLIEST_MS = Date.UTC(2025, 0, 1);
/** File systems and clocks of a network differ by a little. */
const TOLERATED_MS = 60_000;

export function checkNode(version: string = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor, leastMinor] = LEAST_NODE;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return ok("node", version);
  return fail("node", `${version} is too old`, `install Node ${LEAST_NODE.join(".")} or newer`);
}

export function checkConfiguration(problems: readonly string[], warnings: readonly string[]): Finding[] {
  const found = [
    ...problems.map((problem) =>
      fail("configuration", problem, "modelgate serve --help lists what can be given"),
    ),
    ...warnings.map((warning) => warn("configuration", warning, "correct it, or take it away")),
  ];
  return found.length > 0 ? found : [ok("configuration", "all of it is understood")];
}

/** Leases, deadlines and retention go by the clock of this machine. */
export async function checkClock(dataDir: string, nowMs: number): Promise<Finding> {
  const hint = "set the clock, and keep it by NTP";
  if (nowMs < EARLIEST_MS)
    return fail("clock", `says ${new Date(nowMs).toISOString()}, which is long past`, hint);
  for (const name of ["modelgate.db", "modelgate.db-wal"]) {
    const found = await stat(join(dataDir, name)).catch(() => undefined);
    if (found !== undefined && found.mtimeMs > nowMs + TOLERATED_MS) {
      const aheadS = Math.round((found.mtimeMs - nowMs) / 1000);
      return warn("clock", `${name} was written ${aheadS} s in the future: the clock was set back`, hint);
    }
  }
  return ok("clock", new Date(nowMs).toISOString());
}
