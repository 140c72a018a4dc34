import { systemClock } from "../clock.ts";
import type { Clock } from "../contracts/clock.ts";
import type { ServerProtocol } from "../contracts/server-protocol.ts";
import { invalidOption } from "../option-checks.ts";
import type { ServerProbe } from "./server-monitor.ts";

/** How a discovery probes what it found. All durations in milliseconds. */
export interface ProbeOptions {
  /** How to find out whether a server is ready: the protocols by name, or a function for all. */
  readonly probe: ServerProbe | ReadonlyMap<string, Pick<ServerProtocol, "probe">>;
  /** Between probes of a ready server. Default 5 s. */
  readonly intervalMs?: number | undefined;
  /** After a first failed probe, growing by 1.6 with each more. Default 100 ms. */
  readonly firstRetryMs?: number | undefined;
  /** What that grows to. Default 1 s. */
  readonly maxRetryMs?: number | undefined;
  /** For one probe. Default 2 s. */
  readonly probeTimeoutMs?: number | undefined;
  /** Probes that run at once. Default 16. */
  readonly maxProbes?: number | undefined;
  /** Default: the host's time. */
  readonly clock?: Clock | undefined;
}

/** The same, checked and filled in. */
export interface ProbeSettings {
  readonly probe: ServerProbe;
  /** Whether somebody speaks the protocol of this name. */
  readonly isProtocol: (name: string) => boolean;
  readonly intervalMs: number;
  readonly firstRetryMs: number;
  readonly maxRetryMs: number;
  readonly probeTimeoutMs: number;
  readonly maxProbes: number;
  readonly clock: Clock;
}

const DEFAULTS = {
  intervalMs: 5000,
  firstRetryMs: 100,
  maxRetryMs: 1000,
  probeTimeoutMs: 2000,
  maxProbes: 16,
} as const;

/** The options of `ProbeOptions`, by name. */
export const PROBE_OPTIONS: readonly string[] = [...Object.keys(DEFAULTS), "probe", "clock"];

/** Throws `INVALID_OPTIONS` that names the field. */
export function checkProbeOptions(options: ProbeOptions): ProbeSettings {
  const { probe, clock = systemClock } = options;
  if (typeof probe !== "function" && typeof probe?.get !== "function") {
    throw invalidOption("probe", "must be a function or the protocols by name");
  }
  const settings: Record<keyof typeof DEFAULTS, number> = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
    const value = options[name];
    if (value === undefined) continue;
    if (!(Number.isFinite(value) && value > 0) || (name === "maxProbes" && !Number.isInteger(value))) {
      throw invalidOption(name, "must be a number above 0");
    }
    settings[name] = value;
  }
  return {
    ...settings,
    clock,
    probe: typeof probe === "function" ? probe : probeBy(probe),
    isProtocol: typeof probe === "function" ? () => true : (name) => probe.has(name),
  };
}

/** Throws `INVALID_OPTIONS` for an option that is not among the known ones. */
export function checkNames(options: object, known: readonly string[], what: string): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw invalidOption(name, `is not an option of the ${what}`);
  }
}

function probeBy(protocols: ReadonlyMap<string, Pick<ServerProtocol, "probe">>): ServerProbe {
  return async (server, options) => {
    const protocol = protocols.get(server.protocol);
    return protocol === undefined
      ? { ready: false, reason: "nobody speaks its protocol" }
      : protocol.probe(server, options);
  };
}
