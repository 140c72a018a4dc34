import { describe, expect, it } from "vitest";
import { defineConfig } from "../../src/index.ts";

describe("defineConfig", () => {
  it("takes every form that a file may have, and gives back what it was given", () => {
    const config = {
      port: 9000,
      servers: { nlp: ["http://one:8000", "http://two:8000"], deid: "http://three:8000" },
      retention: { rowMs: 1 },
      objectSweepMs: false,
      adminKeyFile: "/run/secrets/admin-key",
      store: "postgres",
      postgres: { url: "postgres://db/modelgate", passwordFile: "/run/secrets/pg", tls: { enabled: true } },
      objects: "s3",
      s3: { endpoint: "http://s3:9000", bucket: "modelgate", secretKey: null, addressing: "path" },
      scheduler: { port: 9100 },
      docker: { enabled: true, labels: { ttl: "x.ttl" }, registriesFile: "/run/secrets/registries" },
      deployments: { enabled: true, room: { memory: "16g", cpus: 4 }, manual: { ttlMs: "never" } },
      cms: {
        memory: "4g",
        volumes: { models: "/models" },
        tracking: { passwordFile: "/run/secrets/mlflow" },
      },
    } as const;
    expect(defineConfig(config)).toBe(config);
    expect(defineConfig({ retention: false, servers: ["a=http://one"] })).toBeDefined();
    expect(defineConfig({ docker: true, deployments: false })).toBeDefined();
  });

  it("knows at compile time what no file may have", () => {
    // @ts-expect-error: a number is no address.
    defineConfig({ host: 1 });
    // @ts-expect-error: it is called url.
    defineConfig({ postgres: { uri: "postgres://db" } });
    // @ts-expect-error: there is no such store.
    defineConfig({ store: "mysql" });
    // @ts-expect-error: only a secret has a file.
    defineConfig({ hostFile: "host" });
    // @ts-expect-error: only what can be switched on has a short form.
    defineConfig({ s3: true });
    expect(defineConfig({})).toEqual({});
  });
});
