import { afterEach, describe, expect, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { EngineConnection } from "../../src/connection/connection.ts";
import type { DockerConnectionOptions } from "../../src/connection/options.ts";
import type { Vantage } from "../../src/discovery/address.ts";
import { findVantage } from "../../src/discovery/vantage.ts";
import { tlsOptions } from "../support/test-engine.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const host = requireService("DOCKER_TLS_HOST") ?? "";
const certificates = requireService("DOCKER_TLS_CERTS") ?? "";
const opened: EngineConnection[] = [];

afterEach(() => {
  for (const connection of opened.splice(0)) connection.close();
});

async function vantageOf(options: DockerConnectionOptions, publishedHost?: string): Promise<Vantage> {
  const connection = new EngineConnection(options);
  opened.push(connection);
  return await findVantage(connection, publishedHost);
}

describe.skipIf(socketPath === "")("containers of a real engine are reached", () => {
  it("by their own addresses from beside it", async () => {
    expect(await vantageOf({ socketPath })).toEqual({ publishedHost: "127.0.0.1", reach: "all" });
  });

  it("by published ports of its host from elsewhere, or of the host that is given", async () => {
    const options = tlsOptions(host, certificates);
    expect(await vantageOf(options)).toEqual({ publishedHost: new URL(host).hostname, reach: "none" });
    expect(await vantageOf(options, "front")).toEqual({ publishedHost: "front", reach: "none" });
  });
});
