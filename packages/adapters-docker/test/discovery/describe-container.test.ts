import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Vantage } from "../../src/discovery/address.ts";
import { type ContainerFacts, factsOf } from "../../src/discovery/container-facts.ts";
import { type DescribeSettings, describeContainer } from "../../src/discovery/describe-container.ts";
import { listedContainers } from "../../src/discovery/listed-container.ts";
import { checkDiscoveryOptions } from "../../src/discovery/options.ts";
import { DEFAULT_LABELS, labelsFrom } from "../../src/labels.ts";

/** A declared exception from the rule that tests use the real thing; `../connection/events.test.ts` says why. */
function recorded(version: string): { list: unknown; inspect: Record<string, unknown> } {
  return JSON.parse(readFileSync(new URL(`../recorded/api-${version}.json`, import.meta.url), "utf8"));
}

const EVERYWHERE: Vantage = { publishedHost: "127.0.0.1", reach: "all" };
const ELSEWHERE: Vantage = { publishedHost: "engine", reach: "none" };
const SETTINGS: DescribeSettings = {
  labels: DEFAULT_LABELS,
  address: "auto",
  network: undefined,
  port: undefined,
  protocol: "cms",
};

function container(parts: Partial<ContainerFacts> = {}): ContainerFacts {
  const facts = factsOf(recorded("1.41").inspect);
  if (facts === undefined) throw new Error("it was recorded badly");
  return { ...facts, ...parts };
}

function urlOf(
  facts: ContainerFacts,
  vantage: Vantage,
  settings: Partial<DescribeSettings> = {},
): string | undefined {
  const { entry, problems } = describeContainer(facts, { ...SETTINGS, ...settings }, vantage);
  return entry?.url ?? problems[0]?.problem;
}

describe.each(["1.41", "1.52"])("what API %s says", (version) => {
  it("of an inspected container is understood", () => {
    const facts = factsOf(recorded(version).inspect);
    expect(facts).toMatchObject({
      ...{ name: "cms-medcat-1", state: "running", health: "healthy", networkMode: "default" },
      networks: [{ name: "bridge", address: expect.stringMatching(/^10\./) }],
      ports: [
        {
          port: 8000,
          published: expect.arrayContaining([{ hostAddress: "0.0.0.0", hostPort: expect.any(Number) }]),
        },
      ],
      room: { memoryBytes: 268435456, cpus: 0.5 },
    });
    expect(facts?.startedAt).toMatch(/^20/);
  });

  it("of a listed container is understood", () => {
    expect(listedContainers(recorded(version).list)).toMatchObject([{ health: "healthy", upForMs: 3000 }]);
  });
});

describe("a listed container", () => {
  const listed = (Status: string, more: object = {}) => listedContainers([{ Id: "a", Status, ...more }])[0];

  it.each([
    ["Up Less than a second", 1000],
    ["Up 1 second (health: starting)", 2000],
    ["Up About a minute", 120_000],
    ["Up 59 minutes (Paused)", 3_600_000],
    ["Up About an hour", undefined],
    ["Up 2 weeks", undefined],
    ["Exited (0) 3 seconds ago", undefined],
  ])("that is %s has run for so long at most", (status, upForMs) => {
    expect(listed(status)?.upForMs).toBe(upForMs);
  });

  it("has the same signature however its ports are ordered, and another one with another address", () => {
    const ports = [
      { PrivatePort: 1, Type: "tcp" },
      { PrivatePort: 2, Type: "tcp" },
    ];
    const at = (IPAddress: string) => ({ NetworkSettings: { Networks: { a: { IPAddress } } } });
    const one = listed("Up 1 second", { Ports: ports, ...at("10.0.0.1") });
    expect(listed("Up 9 seconds", { Ports: ports.toReversed(), ...at("10.0.0.1") })?.signature).toBe(
      one?.signature,
    );
    expect(listed("Up 9 seconds", { Ports: ports, ...at("10.0.0.2") })?.signature).not.toBe(one?.signature);
  });
});

describe("the address of a container", () => {
  const published = [
    { hostAddress: "::", hostPort: 6001 },
    { hostAddress: "0.0.0.0", hostPort: 6000 },
  ];
  const ports = [
    { port: 80, published: [] },
    { port: 8000, published },
  ];
  const networks = [
    { id: "2", name: "models", address: "10.2.0.2" },
    { id: "1", name: "front", address: "10.1.0.2" },
    { id: "3", name: "lost", address: "" },
  ];

  it("is that in its network where it can be reached, and the published one where it cannot", () => {
    const facts = container({ ports, networks });
    expect(urlOf(facts, EVERYWHERE)).toBe("http://10.1.0.2:80");
    expect(urlOf(facts, { ...EVERYWHERE, reach: new Set(["2"]) })).toBe("http://10.2.0.2:80");
    expect(urlOf(facts, ELSEWHERE)).toBe("http://engine:6000");
    expect(urlOf(facts, ELSEWHERE, { address: "network" })).toBe("http://10.1.0.2:80");
    expect(urlOf(facts, EVERYWHERE, { address: "published" })).toBe("http://127.0.0.1:6000");
  });

  it("is that in the network named, or none", () => {
    const facts = container({ ports, networks });
    expect(urlOf(facts, EVERYWHERE, { network: "models" })).toBe("http://10.2.0.2:80");
    expect(urlOf({ ...facts, ports: [{ port: 80, published: [] }] }, EVERYWHERE, { network: "lost" })).toBe(
      'it has no address in the network "lost"; attach it',
    );
    const labelled = { ...facts, labels: { "modelgate.network": "front", "modelgate.port": "81" } };
    expect(urlOf(labelled, EVERYWHERE, { network: "models" })).toBe("http://10.1.0.2:81");
  });

  it("is the host's for one that uses the host's network, and in brackets for IPv6", () => {
    const host = container({
      networkMode: "host",
      networks: [],
      ports: [],
      labels: { "modelgate.port": "9" },
    });
    expect(urlOf(host, { ...ELSEWHERE, publishedHost: "::1" })).toBe("http://[::1]:9");
    expect(urlOf({ ...host, labels: {} }, ELSEWHERE)).toContain("it exposes no port");
  });

  it("is that to which a port was bound, unless it was bound to all", () => {
    const bound = [{ port: 8000, published: [{ hostAddress: "192.168.0.7", hostPort: 7000 }] }];
    expect(urlOf(container({ ports: bound }), ELSEWHERE)).toBe("http://192.168.0.7:7000");
    expect(urlOf(container({ ports: bound }), ELSEWHERE, { address: "published", port: 9 })).toBe(
      "its port 9 is published",
    );
  });

  it("is its name, or what a proxy has for the model or the name", () => {
    const facts = container({ ports: [{ port: 8000, published: [] }] });
    const served = { ...facts, labels: { ...facts.labels, "com.docker.compose.service": "medcat umls" } };
    expect(urlOf(served, ELSEWHERE, { address: "name" })).toBe("http://cms-medcat-1:8000");
    expect(urlOf(served, ELSEWHERE, { address: "name", port: 81 })).toBe("http://cms-medcat-1:81");
    const proxied = (proxyUrl: string) => urlOf(served, ELSEWHERE, { address: "proxy", proxyUrl });
    expect(proxied("https://proxy/cms/{model}/")).toBe("https://proxy/cms/medcat%20umls");
    expect(proxied("http://{name}.models")).toBe("http://cms-medcat-1.models");
    // The proxy knows the port and the network.
    const lone = { ...served, ports: [], networks: [], networkMode: "container:abc" };
    expect(urlOf(lone, ELSEWHERE, { address: "proxy", proxyUrl: "https://p/{name}" })).toBe(
      "https://p/cms-medcat-1",
    );
  });

  it("by a proxy has to be told, with a place for the name", () => {
    const check = (options: object) => () => checkDiscoveryOptions({ probe: new Map(), ...options });
    expect(check({ address: "proxy", proxyUrl: "https://proxy/{model}" })).not.toThrow();
    for (const wrong of [
      { address: "proxy" },
      { proxyUrl: "https://proxy/{model}" },
      { address: "proxy", proxyUrl: "https://proxy/cms" },
      { address: "proxy", proxyUrl: "proxy/{model}" },
    ])
      expect(check(wrong)).toThrow(/^proxyUrl /);
    expect(check({ address: "ip" })).toThrow("address must be one of auto, network, published, name, proxy");
  });

  it("is not known of one that has the network of another", () => {
    expect(urlOf(container({ networkMode: "container:abc", networks: [] }), EVERYWHERE)).toContain(
      "another container",
    );
  });
});

describe("labels", () => {
  it("can have other keys, each of its own", () => {
    expect(labelsFrom({ slots: "my/slots" })).toEqual({ ...DEFAULT_LABELS, slots: "my/slots" });
    expect(() => labelsFrom({ slots: "a=b" })).toThrow(
      'labels.slots must be the key of a label, without spaces and "="',
    );
    expect(() => labelsFrom({ nothing: "a" } as object)).toThrow(
      "labels.nothing is not a label that is used",
    );
    expect(() => labelsFrom({ slots: "modelgate.port" })).toThrow("labels.port is the same as labels.slots");
  });
});
