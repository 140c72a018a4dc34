import { readFileSync } from "node:fs";
import type { DeploymentIdentity, ServerSpec } from "@modelgate/core";
import { describe, expect, it } from "vitest";
import { createBody } from "../../src/deployer/create-body.ts";
import {
  checkDeployerOptions,
  type DockerDeployerOptions,
  withDefaults,
} from "../../src/deployer/options.ts";

const IDENTITY: DeploymentIdentity = { installation: "i", model: "ner", generation: "g", kind: "auto" };

function bodyOf(
  spec: Partial<ServerSpec>,
  options: DockerDeployerOptions = {},
  identity: Partial<DeploymentIdentity> = {},
): unknown {
  const settings = checkDeployerOptions(options);
  const full = withDefaults({ image: "img:1", port: 8000, ...spec }, settings);
  return createBody(full, { ...IDENTITY, ...identity }, settings);
}

function golden(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), "utf8"));
}

describe("what the engine is asked to make", () => {
  it("of the least that can be said", () => {
    expect(bodyOf({})).toEqual(golden("least"));
  });

  it("of all that can be said", () => {
    const body = bodyOf(
      {
        command: ["/bin/server", "--name", "$(id) \n ö"],
        env: { A: "1", MULTI: "a\nb=c", EMPTY: "" },
        labels: { team: "ner", "modelgate.installation": "somebody else's" },
        network: "models",
        port: 9000,
        volumes: [
          { source: "retrained-models", target: "/app/model/retrained" },
          { source: "/srv/models/a:b", target: "/m", isReadOnly: true },
        ],
        restart: "unless-stopped",
        limits: { memoryBytes: 1_073_741_824, cpus: 1.5, gpus: 1, pids: 100 },
        reservations: { memoryBytes: 536_870_912, cpus: 0.5 },
        gpus: ["0", "GPU-3faa8c60"],
        isRootReadOnly: true,
        tmpfs: ["/tmp", "/run"],
        dropCapabilities: ["NET_RAW"],
        user: "1000:1000",
        shmBytes: 1_073_741_824,
        log: { kind: "gelf", address: "udp://graylog:12201", tag: "ner" },
        secretEnv: ["A"],
      },
      { project: "cms", publish: { hostAddress: "127.0.0.1" }, network: "not-this-one" },
      { kind: "manual", ttlMs: 86_400_500, modelUri: "models:/ner/3" },
    );
    expect(body).toEqual(golden("most"));
  });

  it("with the defaults of the deployer, where the spec says nothing", () => {
    const body = bodyOf(
      { limits: { cpus: 2 }, user: undefined },
      {
        network: "models",
        defaults: {
          limits: { memoryBytes: 1e9, cpus: 1 },
          user: "1000",
          dropCapabilities: [],
          log: { kind: "files", maxFiles: 1 },
        },
      },
    );
    expect(body).toMatchObject({
      User: "1000",
      HostConfig: {
        NetworkMode: "models",
        Memory: 1e9,
        NanoCpus: 2e9,
        PidsLimit: 4096,
        CapDrop: [],
        LogConfig: { Config: { "max-size": "10485760", "max-file": "1" } },
      },
    });
  });

  it("with graphics cards: some, all, or these", () => {
    const requests = (spec: Partial<ServerSpec>): unknown =>
      (bodyOf(spec) as { HostConfig: { DeviceRequests?: unknown } }).HostConfig.DeviceRequests;
    expect(requests({ gpus: 2 })).toEqual([{ Count: 2, Capabilities: [["gpu"]] }]);
    expect(requests({ gpus: "all" })).toEqual([{ Count: -1, Capabilities: [["gpu"]] }]);
    expect(requests({ gpus: ["1"] })).toEqual([{ DeviceIDs: ["1"], Capabilities: [["gpu"]] }]);
    expect(requests({ limits: { gpus: 1 } })).toEqual([{ Count: 1, Capabilities: [["gpu"]] }]);
    expect(requests({ gpus: 0 })).toBeUndefined();
  });
});
