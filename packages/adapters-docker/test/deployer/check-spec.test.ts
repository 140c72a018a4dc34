import { type DeploymentIdentity, GatewayError, type ServerSpec } from "@modelgate/core";
import { describe, expect, it } from "vitest";
import { checkIdentity, checkSpec } from "../../src/deployer/check-spec.ts";
import { type DockerDeployerOptions, dockerDeployer } from "../../src/deployer/index.ts";

const RULES = { namePrefix: "", allowedHostPaths: ["/srv/models"] };
const SPEC: ServerSpec = { image: "img", port: 8000 };
const IDENTITY: DeploymentIdentity = { installation: "i", model: "ner", generation: "g", kind: "auto" };
const HALF = "\ud800";

function refusal(work: () => void): GatewayError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (GatewayError.is(error)) return error;
    throw error;
  }
}

const REFUSED: readonly (readonly [field: string, parts: Partial<ServerSpec>])[] = [
  ["image", { image: "team/Upper" }],
  ["image", { image: "a b" }],
  ["image", { image: "-x" }],
  ["image", { image: "../x" }],
  ["image", { image: "http://x/y" }],
  ["image", { image: `x${"y".repeat(2000)}` }],
  ["image", { image: "x;id" }],
  ["image", { image: "x\n" }],
  ["command", { command: [] }],
  ["command", { command: ["", "x"] }],
  ["command[1]", { command: ["x", "a\0"] }],
  ["command[1]", { command: ["x", HALF] }],
  ["command[1]", { command: ["x", "y".repeat(131_072)] }],
  ["command", { command: ["x", ...Array.from({ length: 20 }, () => "y".repeat(131_000))] }],
  ["env", { env: { "A=B": "" } }],
  ["env", { env: { [HALF]: "" } }],
  ["env.A", { env: { A: "\0" } }],
  ["env.A", { env: { A: "y".repeat(131_071) } }],
  ["labels", { labels: { "": "x" } }],
  ["labels.a", { labels: { a: HALF } }],
  ["network", { network: "host" }],
  ["network", { network: "none" }],
  ["network", { network: "container:x" }],
  ["network", { network: "../x" }],
  ["port", { port: 0 }],
  ["volumes[0].source", { volumes: [{ source: "/etc", target: "/m" }] }],
  ["volumes[0].source", { volumes: [{ source: "/", target: "/m" }] }],
  ["volumes[0].source", { volumes: [{ source: "/srv/models/../../etc", target: "/m" }] }],
  ["volumes[0].source", { volumes: [{ source: "/srv/modelsX", target: "/m" }] }],
  ["volumes[0].source", { volumes: [{ source: "/srv//models", target: "/m" }] }],
  ["volumes[0].source", { volumes: [{ source: "relative/path", target: "/m" }] }],
  ["volumes[0].source", { volumes: [{ source: "..", target: "/m" }] }],
  ["volumes[0].source", { volumes: [{ source: "", target: "/m" }] }],
  ["volumes[0].target", { volumes: [{ source: "v1", target: "m" }] }],
  ["volumes[0].target", { volumes: [{ source: "v1", target: "/" }] }],
  ["volumes[0].target", { volumes: [{ source: "v1", target: "/m/../etc" }] }],
  ["volumes[1].target", { volumes: ["v1", "v2"].map((source) => ({ source, target: "/m" })) }],
  ["restart", { restart: "always" as never }],
  ["pull", { pull: "sometimes" as never }],
  ["limits.memoryBytes", { limits: { memoryBytes: 1024 } }],
  ["limits.memoryBytes", { limits: { memoryBytes: 1e8 + 0.5 } }],
  ["limits.cpus", { limits: { cpus: 0 } }],
  ["limits.cpus", { limits: { cpus: Number.NaN } }],
  ["limits.pids", { limits: { pids: 0 } }],
  ["reservations.memoryBytes", { limits: { memoryBytes: 1e8 }, reservations: { memoryBytes: 2e8 } }],
  ["gpus", { gpus: -1 }],
  ["gpus", { gpus: 2, limits: { gpus: 1 } }],
  ["gpus[0]", { gpus: ["0,1"] }],
  ["tmpfs[0]", { tmpfs: ["tmp"] }],
  ["dropCapabilities[0]", { dropCapabilities: ["all; id"] }],
  ["user", { user: "root;id" }],
  ["user", { user: "" }],
  ["shmBytes", { shmBytes: 1 }],
  ["log.address", { log: { kind: "gelf", address: "http://graylog:12201" } }],
  ["log.address", { log: { kind: "gelf", address: "udp://graylog:1\n2201" } }],
  ["log.tag", { log: { kind: "gelf", address: "udp://graylog:12201", tag: "{{.Name}}" } }],
  ["log.kind", { log: { kind: "syslog" } as never }],
];

describe("a spec", () => {
  it.each(REFUSED)("is refused with the field named: %s", (field, parts) => {
    const error = refusal(() => checkSpec({ ...SPEC, ...parts }, RULES));
    expect(error?.code).toBe("INVALID_REQUEST");
    expect(error?.details["field"]).toBe(field);
    expect(error?.message.startsWith(field)).toBe(true);
  });

  it.each([
    { image: "ner" },
    { image: "registry.example:5000/team/ner_v1:1.2-rc.1" },
    { image: `ner@sha256:${"a".repeat(64)}` },
    { image: `localhost/ner:1@sha256:${"a".repeat(64)}` },
    { command: ["x", "", "$(id)", "\n", "y".repeat(10_240), "\u{1f600}"] },
    { env: { "A b": "x=y\n" } },
    { volumes: [{ source: "/srv/models/a:b", target: "/m" }] },
    { volumes: [{ source: "/srv/models", target: "/m/n" }] },
    { log: { kind: "gelf", address: "udp://graylog:12201" } },
    { user: "1000:1000" },
    { gpus: ["GPU-3faa8c60-1", "MIG-1/2/3", "nvidia.com/gpu=0"] },
  ] satisfies Partial<ServerSpec>[])("is taken as it is: %j", (parts) => {
    expect(refusal(() => checkSpec({ ...SPEC, ...parts }, RULES))).toBeUndefined();
  });

  it("never has a secret quoted when it is refused", () => {
    const env = { TOKEN: "s3cr3t\0" };
    const error = refusal(() => checkSpec({ ...SPEC, env, secretEnv: ["TOKEN"] }, RULES));
    expect(error?.message).not.toContain("s3cr3t");
  });
});

describe("a model's name", () => {
  it.each(["", "-a", ".a", "a b", "a/b", "..", "a;b", "a\n", "ö", HALF, "a".repeat(256), "a\0"])(
    "is refused: %j",
    (model) => {
      const error = refusal(() => checkIdentity({ ...IDENTITY, model }, RULES));
      expect(error?.details["field"]).toBe("model");
    },
  );

  it("of one character is no name of a container, unless there is a prefix", () => {
    const identity = { ...IDENTITY, model: "x" };
    expect(refusal(() => checkIdentity(identity, RULES))?.message).toMatch(/namePrefix/);
    expect(refusal(() => checkIdentity(identity, { ...RULES, namePrefix: "mg-" }))).toBeUndefined();
  });

  it.each(["NER", "a_b.c-d", "0a", "a".repeat(255)])("is taken: %s", (model) => {
    expect(refusal(() => checkIdentity({ ...IDENTITY, model }, RULES))).toBeUndefined();
  });
});

describe("the options of the deployer", () => {
  it.each<readonly [string, DockerDeployerOptions]>([
    ["nework", { nework: "x" } as never],
    ["network", { network: "host" }],
    ["namePrefix", { namePrefix: "-x" }],
    ["project", { project: "A B" }],
    ["registries.r", { registries: { r: { username: "x" } as never } }],
    ["publish.hostAddress", { publish: { hostAddress: "localhost" } }],
    ["allowedHostPaths[0]", { allowedHostPaths: ["/a/.."] }],
    ["defaults.image", { defaults: { image: "x" } as never }],
    ["platform", { platform: "linux" }],
    ["startTimeoutMs", { startTimeoutMs: 0 }],
    ["labels.mode", { labels: { mode: "x" } as never }],
  ])("are refused with the field named: %s", (field, options) => {
    const error = refusal(() => void dockerDeployer({ socketPath: "/x", ...options }));
    expect(error?.code).toBe("INVALID_OPTIONS");
    expect(error?.details["field"]).toBe(field);
  });
});
