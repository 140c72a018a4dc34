import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { ByteStream } from "../../src/contracts/common.ts";
import type { ModelServer } from "../../src/contracts/discovery.ts";
import { createGateway } from "../../src/gateway.ts";
import type { Gateway, GatewayOptions } from "../../src/gateway-api.ts";
import { type MemoryDiscovery, memoryDiscovery } from "../../src/memory/index.ts";
import { cmsProtocol } from "../../src/protocols/cms.ts";

/** A model server on a real socket, whose answers the test holds in its hands. */
export interface HeldServer {
  readonly server: ModelServer;
  /** Requests that came and were not answered, oldest first. */
  readonly waiting: {
    readonly path: string;
    readonly response: ServerResponse;
    readonly text: Promise<string>;
  }[];
  /** All that ever came. */
  readonly paths: string[];
  readonly mostAtOnce: () => number;
}

/** It answers at once what `answers` takes, and leaves the rest waiting. */
export async function heldServer(
  parts: Partial<ModelServer> = {},
  answers: (request: IncomingMessage, response: ServerResponse) => boolean = () => false,
): Promise<HeldServer> {
  const waiting: HeldServer["waiting"] = [];
  const paths: string[] = [];
  let now = 0;
  let most = 0;
  const http = createServer((request, response) => {
    paths.push(request.url ?? "");
    now += 1;
    most = Math.max(most, now);
    response.on("close", () => {
      now -= 1;
    });
    if (answers(request, response)) return;
    waiting.push({ path: request.url ?? "", response, text: textOf(request) });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const server: ModelServer = { id: url, url, models: ["m"], protocol: "cms", state: "ready", ...parts };
  return { server, waiting, paths, mostAtOnce: () => most };
}

/** A gateway with these servers, which ends with its test. */
export async function gatewayOf(
  servers: readonly ModelServer[],
  options: Partial<GatewayOptions> = {},
): Promise<{ readonly gateway: Gateway; readonly discovery: MemoryDiscovery }> {
  const discovery = memoryDiscovery(servers);
  const protocol = cmsProtocol();
  const gateway = createGateway({ discovery, protocols: [protocol], pollMs: 20, ...options });
  onTestFinished(async () => {
    await gateway.stop({ drainMs: 0 });
    await protocol.close();
  });
  await gateway.start();
  return { gateway, discovery };
}

export async function textOf(stream: ByteStream): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
