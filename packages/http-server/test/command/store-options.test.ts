import { rabbitmqBroker } from "@modelgate/adapters-storage/rabbitmq";
import { redisBroker } from "@modelgate/adapters-storage/redis";
import { describe, expect, it } from "vitest";
import { trySettings } from "../../src/command/settings/read-settings.ts";
import { postgresOptions } from "../../src/command/stores/postgres-options.ts";
import { rabbitmqOptions } from "../../src/command/stores/rabbitmq-options.ts";
import { redisOptions } from "../../src/command/stores/redis-options.ts";

function settingsOf(content: object) {
  const config = { path: "m.json", content };
  const { settings, problems } = trySettings({ command: "serve", flags: {}, environment: {}, config });
  expect(problems).toEqual([]);
  return settings;
}

function optionsOf(postgres: object) {
  return postgresOptions(settingsOf({ store: "postgres", postgres }));
}

describe("what PostgreSQL's adapter is told", () => {
  it("has the password of the setting in the address, whatever is in it", () => {
    const password = "a/b@c:d%20?#é'";
    const { url = "" } = optionsOf({ url: "postgres://me:old@db:5433/gate?x=1", password });
    expect(decodeURIComponent(new URL(url).password)).toBe(password);
    expect(url).toMatch(/^postgres:\/\/me:.*@db:5433\/gate\?x=1$/);
  });

  it("leaves TLS to the address unless a setting speaks of it", () => {
    const url = "postgres://db/gate?sslmode=require&x=1";
    expect(optionsOf({ url })).toMatchObject({ url, tls: undefined });
    expect(optionsOf({ url, tls: { enabled: false } })).toMatchObject({
      url: "postgres://db/gate?x=1",
      tls: false,
    });
    expect(optionsOf({ url, tls: { enabled: true } }).tls).toMatchObject({ verify: true });
    expect(optionsOf({ url, tls: { verify: false } }).tls).toMatchObject({ verify: false });
    expect(optionsOf({ url, tls: { serverName: "db.internal" } }).url).not.toContain("sslmode");
  });
});

describe("what Redis' adapter is told", () => {
  const of = (redis: object) => redisOptions(settingsOf({ queue: "redis", redis }));

  it("is one address, Sentinels with their own user, or a Cluster", () => {
    expect(of({ url: "rediss://u:p@r:1/2", prefix: "gate" })).toMatchObject({
      ...{
        url: "rediss://u:p@r:1/2",
        sentinels: undefined,
        cluster: undefined,
        tls: undefined,
        prefix: "gate",
      },
    });
    const sentinels = { nodes: ["one", "two:1", "[::1]:2"], name: "main", username: "s", password: "t" };
    expect(of({ sentinels, password: "p" })).toMatchObject({
      ...{ url: undefined, password: "p" },
      sentinels: {
        nodes: [{ host: "one" }, { host: "two", port: 1 }, { host: "::1", port: 2 }],
        ...{ name: "main", username: "s", password: "t", tls: false },
      },
    });
    const nodes = ["redis://one", "redis://two:7"];
    expect(of({ cluster: { nodes } })).toMatchObject({ url: undefined, cluster: { nodes } });
    expect(redisBroker(of({ sentinels }))).toBeDefined();
    expect(redisBroker(of({ cluster: { nodes } }))).toBeDefined();
  });

  it("leaves TLS to the address unless a setting speaks of it, and to Sentinels if they are to have it", () => {
    const url = "redis://r";
    expect(of({ url, tls: { enabled: false } }).tls).toBe(false);
    expect(of({ url, tls: true }).tls).toBe(true);
    expect(of({ url, tls: { serverName: "r.internal" } }).tls).toMatchObject({
      serverName: "r.internal",
      verify: true,
    });
    const sentinels = { nodes: ["one"], name: "main", tls: true };
    expect(of({ sentinels }).sentinels?.tls).toBe(true);
    expect(of({ sentinels, tls: { verify: false } }).sentinels?.tls).toMatchObject({ verify: false });
  });
});

describe("what RabbitMQ's adapter is told", () => {
  it("is one address or several, and what stands in place of their parts", () => {
    const of = (rabbitmq: object) => rabbitmqOptions(settingsOf({ wakeups: "rabbitmq", rabbitmq }));
    const own = { username: "u", password: "p", vhost: "/v", queueType: "classic", heartbeatMs: 2_000 };
    expect(of({ url: "amqp://r", ...own })).toMatchObject({ url: "amqp://r", urls: undefined, ...own });
    const urls = ["amqps://one", "amqps://two:1/v"];
    expect(of({ urls, tls: { verify: false } })).toMatchObject({
      url: undefined,
      urls,
      tls: { verify: false },
    });
    expect(rabbitmqBroker(of({ urls, ...own }))).toBeDefined();
  });
});
