import assert from "node:assert/strict";
import { describe, it } from "vitest";
import { staticDiscovery } from "../../src/discovery/static.ts";
import type { StaticServer } from "../../src/discovery/static-servers.ts";
import { memoryDiscovery } from "../../src/memory/discovery.ts";
import { discoveryKit } from "../../src/testing/discovery-kit/discovery-kit.ts";
import type { DiscoveryFixture } from "../../src/testing/discovery-kit/fixture.ts";
import { describeKit } from "../../src/testing/kit/kit.ts";
import { DISCOVERY_FAULTS } from "./broken/discovery/broken-discoveries.ts";
import { relayFixture, worldOf } from "./broken/discovery/relay-discovery.ts";
import { expectFaultsFound } from "./broken/lifecycle/failing-tests.ts";

describeKit({ describe, it }, discoveryKit, "memory", () => {
  const discovery = memoryDiscovery();
  return { discovery, ...worldOf(discovery), close: () => discovery.close() };
});

describeKit({ describe, it }, discoveryKit, "a relay", () => relayFixture());

describeKit({ describe, it }, discoveryKit, "static", openStatic);

describe("the kit of discoveries", () => {
  expectFaultsFound(discoveryKit, DISCOVERY_FAULTS);
});

/** Servers of a list, and a probe that knows which of them are ready. */
function openStatic(): DiscoveryFixture {
  const servers = new Map<string, StaticServer>();
  const ready = new Set<string>();
  let probes = 0;
  const open = () =>
    staticDiscovery({
      servers: [...servers.values()],
      async probe(server) {
        probes += 1;
        return ready.has(server.id) ? { ready: true } : { ready: false, reason: "not yet" };
      },
      ...{ intervalMs: 10, firstRetryMs: 5, maxRetryMs: 10 },
    });
  const opened = [open()];
  const [discovery] = opened as [ReturnType<typeof open>];
  const reload = (): void => discovery.reload([...servers.values()]);
  return {
    discovery,
    async add(model, isReady = true) {
      const id = `${model}.example:80`;
      servers.set(id, { url: `http://${model}.example/`, name: model });
      if (isReady) ready.add(id);
      reload();
      return id;
    },
    async remove(id) {
      servers.delete(id);
      reload();
      discovery.forget(id);
    },
    async drain(id) {
      servers.delete(id);
      reload();
    },
    async setReady(id, isReady) {
      if (isReady) ready.add(id);
      else ready.delete(id);
    },
    async change(id) {
      const { url = "" } = servers.get(id) ?? {};
      servers.set(id, { url, models: ["m", "n"], limit: 2 });
      reload();
      return { models: ["m", "n"], limit: 2 };
    },
    async another() {
      const other = open();
      opened.push(other);
      return other;
    },
    async handedIn() {
      const before = probes;
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(probes, before, "it probes after it was closed");
    },
    async close() {
      for (const each of opened) await each.close();
    },
  };
}
