import { onTestFinished } from "vitest";
import type { DiscoveryChange, ModelServer } from "../../src/contracts/discovery.ts";
import type { ProbeReport } from "../../src/contracts/server-protocol.ts";
import {
  type StaticDiscovery,
  type StaticDiscoveryOptions,
  staticDiscovery,
} from "../../src/discovery/static.ts";
import type { StaticServer } from "../../src/discovery/static-servers.ts";
import { ManualClock } from "./manual-clock.ts";

type Behaviour = "ready" | "down" | "hangs" | "throws" | ProbeReport;

/** Servers that behave as told, and the discovery that probes them. */
export class Park {
  readonly clock: ManualClock = new ManualClock();
  /** By id. */
  readonly behaviour: Map<string, Behaviour> = new Map();
  /** Every probe: when, whom. */
  readonly probes: { readonly atMs: number; readonly id: string }[] = [];
  readonly aborted: string[] = [];
  running: number = 0;
  mostRunning: number = 0;

  readonly probe = async (
    server: ModelServer,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<ProbeReport> => {
    this.probes.push({ atMs: this.clock.now(), id: server.id });
    this.running += 1;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    try {
      const behaviour = this.behaviour.get(server.id) ?? "down";
      if (behaviour === "hangs") return await hang(options?.signal, () => this.aborted.push(server.id));
      if (behaviour === "throws") throw new Error(`cannot reach ${server.url}`);
      if (behaviour === "down") return { ready: false, reason: "no connection" };
      return behaviour === "ready" ? { ready: true } : behaviour;
    } finally {
      this.running -= 1;
    }
  };

  open(servers: readonly StaticServer[], options: Partial<StaticDiscoveryOptions> = {}): StaticDiscovery {
    const discovery = staticDiscovery({ servers, probe: this.probe, clock: this.clock, ...options });
    onTestFinished(() => discovery.close());
    return discovery;
  }

  probedAt(id: string): number[] {
    return this.probes.filter((probe) => probe.id === id).map(({ atMs }) => atMs);
  }
}

function hang(signal: AbortSignal | undefined, onAbort: () => void): Promise<ProbeReport> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener("abort", () => {
      onAbort();
      reject(signal.reason);
    });
  });
}

/** What a watcher was told, in short: `+a ready`, `-a`, `= a,b`. */
export function brief(change: DiscoveryChange): string {
  if (change.kind === "removed") return `-${change.id}`;
  if (change.kind === "upsert") return `+${change.server.id} ${change.server.state}`;
  return `= ${change.servers.map((server) => `${server.id} ${server.state}`).join(", ")}`;
}
