import type { Discovery, DiscoveryChange, ModelServer } from "@modelgate/core";
import { type DiscoveryFixture, discoveryKit, runKitTest } from "@modelgate/core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { patience } from "../../../core/src/testing/checks/waiting.ts";
import { openFixture } from "./fixture.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const image = requireService("DOCKER_TEST_IMAGE") ?? "";

type Tell = (change: DiscoveryChange) => void;

/** Our discovery, which tells something else than it knows, and the rule of the kit that finds it out. */
const FAULTS: readonly {
  readonly fault: string;
  readonly breaks: string;
  /** Made anew for each watcher. */
  readonly tamper: () => (change: DiscoveryChange, tell: Tell) => void;
}[] = [
  {
    fault: "keeps a container that was asked to stop as ready",
    breaks: "a server is told as draining when its stop is asked for, not when it is over",
    tamper: () => (change, tell) => {
      if (change.kind !== "upsert" || change.server.state !== "draining") tell(change);
    },
  },
  {
    fault: "does not tell that a container is gone",
    breaks: "a server that is gone is told as removed, by its id",
    tamper: () => (change, tell) => {
      if (change.kind !== "removed") tell(change);
    },
  },
  {
    fault: "takes the container for the incarnation",
    breaks: "another start of a server has another instance and the same id",
    tamper: () => (change, tell) => {
      if (change.kind === "upsert")
        tell({ kind: "upsert", server: { ...change.server, instance: change.server.id } });
      else tell(change);
    },
  },
  {
    fault: "has ids of its own",
    breaks: "a server has the same id in every discovery that sees it",
    tamper: () => {
      const salt = Math.random();
      const salted = (server: ModelServer): ModelServer => ({ ...server, id: `${server.id}${salt}` });
      return (change, tell) => {
        if (change.kind === "snapshot") tell({ kind: "snapshot", servers: change.servers.map(salted) });
        else if (change.kind === "upsert") tell({ kind: "upsert", server: salted(change.server) });
        else tell(change);
      };
    },
  },
  {
    fault: "does not say all anew after an interruption",
    breaks: "after an interruption, all is told again as a new snapshot, without what has gone meanwhile",
    tamper: () => {
      let isFirst = true;
      return (change, tell) => {
        if (change.kind !== "snapshot" || isFirst) tell(change);
        else for (const server of change.servers) tell({ kind: "upsert", server });
        isFirst = false;
      };
    },
  },
  {
    fault: "tells only what was there when it was begun",
    breaks: "what changes while watch is called is not missed",
    tamper: () => (change, tell) => {
      if (change.kind === "snapshot") tell(change);
    },
  },
];

describe.skipIf(socketPath === "")("on a real engine too, the kit finds a discovery that", () => {
  const usualMs = patience.ms;
  beforeAll(() => {
    patience.ms = 4000;
  });
  afterAll(() => {
    patience.ms = usualMs;
  });

  for (const { fault, breaks, tamper } of FAULTS) {
    it(fault, { timeout: 60_000 }, async () => {
      const test = discoveryKit.tests.find(({ name }) => name === breaks);
      if (test === undefined) throw new Error(`the kit has no test "${breaks}"`);
      const broken = async (): Promise<DiscoveryFixture> => {
        const fixture = await openFixture({ connection: { socketPath }, socketPath, image, isRelayed: true });
        const { another } = fixture;
        return {
          ...fixture,
          discovery: tampered(fixture.discovery, tamper),
          another: another && (async () => tampered(await another(), tamper)),
        };
      };
      await expect(runKitTest(test, broken)).rejects.toThrow();
    });
  }
});

function tampered(good: Discovery, tamper: (typeof FAULTS)[number]["tamper"]): Discovery {
  return {
    capabilities: good.capabilities,
    watch(listener, options) {
      const tell = tamper();
      return good.watch((change) => tell(change, listener), options);
    },
    refresh: (options) => good.refresh(options),
    close: () => good.close(),
  };
}
