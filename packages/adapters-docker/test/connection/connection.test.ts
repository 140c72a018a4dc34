import { setTimeout as sleep } from "node:timers/promises";
import Dockerode from "dockerode";
import { afterEach, describe, expect, it, vi } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { EngineConnection } from "../../src/connection/connection.ts";
import { EngineError } from "../../src/connection/engine-error.ts";
import { openEvents } from "../../src/connection/events.ts";
import type { DockerConnectionOptions } from "../../src/connection/options.ts";
import { Filter } from "../support/filter.ts";
import { Relay } from "../support/relay.ts";
import { TestEngine, tlsOptions } from "../support/test-engine.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const host = requireService("DOCKER_TLS_HOST") ?? "";
const certificates = requireService("DOCKER_TLS_CERTS") ?? "";
const image = requireService("DOCKER_TEST_IMAGE") ?? "";
const closing: (() => unknown)[] = [];

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closing.splice(0).reverse()) await close();
});

function connect(options: DockerConnectionOptions = { socketPath }): EngineConnection {
  const connection = new EngineConnection(options);
  closing.push(() => connection.close());
  return connection;
}

async function relayed(): Promise<Relay> {
  const relay = await Relay.to(socketPath);
  closing.push(() => relay.close());
  return relay;
}

const LIST = { path: "/containers/json" };

describe.skipIf(socketPath === "")("a connection to a real engine", () => {
  it("speaks a version that both sides know, over a socket and over TLS", async () => {
    for (const options of [
      { socketPath },
      { host: `unix://${socketPath}` },
      tlsOptions(host, certificates),
    ]) {
      const connection = connect(options);
      const { apiVersion, at } = await connection.ping();
      expect(apiVersion).toMatch(/^1\.\d+$/);
      expect(Math.abs(Date.now() - (at?.getTime() ?? 0))).toBeLessThan(5000);
      expect((await connection.call(LIST)).body).toBeInstanceOf(Array);
    }
  });

  it("is refused without a certificate, and refuses one of an authority that it does not know", async () => {
    const { tls = {} } = tlsOptions(host, certificates);
    const error = await failureOf(connect({ host, tls: { ca: tls.ca } }).ping());
    expect(error).toMatchObject({
      code: "DEPLOYER_UNAVAILABLE",
      message: expect.stringContaining("tls.cert"),
    });
    const unknown = await failureOf(connect({ host, tls: {} }).ping());
    expect(unknown).toMatchObject({ code: "INVALID_OPTIONS", details: { field: "tls.ca" } });
  });

  it("goes where the options say, whatever DOCKER_HOST says, and there when they say nothing", async () => {
    vi.stubEnv("DOCKER_HOST", "tcp://127.0.0.1:1");
    vi.stubEnv("DOCKER_CERT_PATH", "/nowhere");
    await connect({ socketPath }).ping();
    expect(process.env["DOCKER_HOST"]).toBe("tcp://127.0.0.1:1");
    vi.stubEnv("DOCKER_HOST", host);
    vi.stubEnv("DOCKER_TLS_VERIFY", "1");
    vi.stubEnv("DOCKER_CERT_PATH", certificates);
    await connect({}).ping();
  });

  it("uses a client that it was handed, and leaves it open", async () => {
    const client = new Dockerode({ socketPath, version: "v1.41" });
    const connection = connect({ client });
    expect((await connection.call(LIST)).body).toBeInstanceOf(Array);
    connection.close();
    expect((await failureOf(connection.call(LIST))) as object).toMatchObject({ code: "CLOSED" });
    expect(await client.listContainers()).toBeInstanceOf(Array);
  });

  it("agrees on a version anew when the engine was replaced by another one", async () => {
    const filter = new Filter(socketPath, () => true);
    await filter.open();
    closing.push(() => filter.close());
    filter.claimedVersion = "1.51";
    const connection = connect({ socketPath: filter.socketPath });
    expect((await connection.ping()).apiVersion).toBe("1.51");
    expect((await connection.call(LIST)).status).toBe(200);
    filter.claimedVersion = "1.39";
    const error = await failureOf(connection.ping());
    expect(error).toMatchObject({ code: "DEPLOYER_REFUSED", details: { engine: "1.39", needed: "1.41" } });
  });

  it("says which versions are known when the engine wants another one", async () => {
    const error = await failureOf(connect({ socketPath, apiVersion: "1.99" }).call(LIST));
    expect(error).toMatchObject({ code: "DEPLOYER_REFUSED", details: { spoken: "1.99" } });
    expect((error as Error).message).toMatch(/refuses API 1\.99 and wants 1\.\d+; known are 1\.41 to/);
  });

  it("gives on what the engine refuses, with its status and words", async () => {
    const error = await failureOf(connect().call({ path: "/containers/nobody/json" }));
    expect(EngineError.is(error, 404)).toBe(true);
    expect(error).toMatchObject({ call: "GET /containers/nobody/json", reason: "No such container: nobody" });
  });

  it("is unavailable where nobody listens", async () => {
    const error = await failureOf(connect({ socketPath: "/nowhere/docker.sock" }).call(LIST));
    expect(error).toMatchObject({
      code: "DEPLOYER_UNAVAILABLE",
      details: { reason: "ENOENT", retryAfterMs: expect.any(Number) },
    });
  });

  it("ends a call at its time limit when the engine hangs, and leaves its stream of events alone", async () => {
    const relay = await relayed();
    const connection = connect({ socketPath: relay.socketPath, timeoutMs: 300 });
    const { events, close } = await openEvents(connection, { filters: { type: ["container"] } });
    const heard: string[] = [];
    const reading = (async () => {
      for await (const { action } of events) heard.push(action);
    })();
    const engine = new TestEngine({ socketPath }, image);
    closing.push(() => engine.close());
    await sleep(700);
    await engine.remove(await engine.create());
    await vi.waitFor(() => expect(heard).toContain("create"));
    relay.holdUp();
    const begunAt = performance.now();
    const error = await failureOf(connection.call(LIST));
    expect(error).toMatchObject({ code: "DEPLOYER_UNAVAILABLE", details: { reason: "timeout" } });
    expect(performance.now() - begunAt).toBeLessThan(1500);
    close();
    await reading;
  });

  it("rejects with the caller's own reason when the caller gives up", async () => {
    const relay = await relayed();
    const connection = connect({ socketPath: relay.socketPath });
    await connection.ping();
    relay.holdUp();
    const reason = new Error("enough");
    const signal = AbortSignal.timeout(100);
    const aborting = new AbortController();
    setTimeout(() => aborting.abort(reason), 50);
    expect(await failureOf(connection.call({ ...LIST, signal: aborting.signal }))).toBe(reason);
    expect(await failureOf(connection.ping({ signal }))).toBe(signal.reason);
  });

  it("has few connections however many calls there are, and none after it was closed", async () => {
    const relay = await relayed();
    const connection = connect({ socketPath: relay.socketPath });
    await Promise.all(Array.from({ length: 50 }, () => connection.call(LIST)));
    expect(relay.connections).toBeLessThanOrEqual(8);
    for (let call = 0; call < 10; call += 1) await connection.call(LIST);
    expect(relay.connections).toBeLessThanOrEqual(8);
    const stream = await connection.stream({ path: "/events" });
    connection.close();
    await vi.waitFor(() => expect(relay.connections).toBe(0));
    const reading = (async () => {
      for await (const chunk of stream.body) void chunk;
    })();
    expect(await failureOf(reading)).toMatchObject({ code: "CLOSED" });
  });

  it("breaks a stream with DEPLOYER_UNAVAILABLE when the engine goes away", async () => {
    const relay = await relayed();
    const connection = connect({ socketPath: relay.socketPath });
    const stream = await connection.stream({ path: "/events" });
    const reading = (async () => {
      for await (const chunk of stream.body) void chunk;
    })();
    await relay.cut();
    expect(await failureOf(reading)).toMatchObject({ code: "DEPLOYER_UNAVAILABLE" });
    await relay.open();
    expect((await connection.call(LIST)).status).toBe(200);
  });
});

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => expect.fail("it did not fail"),
    (error: unknown) => error,
  );
}
