import { lookup } from "node:dns/promises";
import type { ModelServer, ServerProtocol } from "@modelgate/core";
import { printable } from "../output/printable.ts";
import { byAddress } from "../server-addresses.ts";
import { readCredentials } from "../settings/server-credentials.ts";
import type { Settings } from "../settings/settings.ts";
import { codeOf, type Finding, fail, ok, warn } from "./finding.ts";

const MAX_INFO_BYTES = 64 * 1024;

/** Asks every model server of the configuration, as the gateway would. */
export async function checkServers(settings: Settings): Promise<Finding[]> {
  const listed = byAddress(settings.servers);
  if (listed.length === 0 && settings["docker.enabled"]) return [];
  if (listed.length === 0) {
    return [
      warn(
        "server",
        "none is configured, so that no task can be run",
        "name one with --server NAME=URL, or find some with --docker",
      ),
    ];
  }
  const { cmsProtocol } = await import("@modelgate/core");
  const { credentialsOf } = readCredentials(settings);
  const protocol = cmsProtocol({
    controlTimeoutMs: 3_000,
    credentials: ({ url }) => credentialsOf(url),
  });
  try {
    return (await Promise.all(listed.map(({ url, models }) => checkServer(protocol, url, models)))).flat();
  } finally {
    await protocol.close();
  }
}

async function checkServer(
  protocol: ServerProtocol,
  url: string,
  models: readonly string[],
): Promise<Finding[]> {
  const { hostname, host, pathname } = new URL(url);
  const check = `server ${printable(models.join(", "))}`;
  // The address without its user and password.
  const at = `${host}${pathname.replace(/\/+$/, "")}`;
  try {
    await lookup(hostname.replace(/^\[|\]$/g, ""));
  } catch (error) {
    return [
      fail(check, `${hostname} is no known host (${codeOf(error)})`, "mend the name, or the name service"),
    ];
  }
  const server: ModelServer = {
    id: at,
    url: url.replace(/\/+$/, ""),
    models,
    protocol: protocol.name,
    state: "starting",
  };
  const probe = await protocol.probe(server);
  if (!probe.ready) {
    return [
      fail(
        check,
        `${at} is not ready: ${printable(probe.reason ?? "it does not say why")}`,
        "start it, or mend its address",
      ),
    ];
  }
  const findings = [await checkInfo(protocol, server, check)];
  const missing = models.filter((model) => probe.models !== undefined && !probe.models.includes(model));
  if (missing.length > 0) {
    const served = printable(probe.models?.join(", ") ?? "");
    findings.push(
      warn(check, `it says that it serves ${served}`, "give it the name of a model that it serves"),
    );
  }
  return findings;
}

async function checkInfo(protocol: ServerProtocol, server: ModelServer, check: string): Promise<Finding> {
  const type = await readModelType(protocol, server);
  if (type !== undefined)
    return ok(check, `${server.id} is ready and serves a model of type ${printable(type)}`);
  const hint = "look whether it is a CogStack ModelServe; others may not know the tasks";
  return warn(check, `${server.id} is ready, and does not say at /info what it serves`, hint);
}

async function readModelType(protocol: ServerProtocol, server: ModelServer): Promise<string | undefined> {
  try {
    const answer = await protocol.info(server);
    if (answer === undefined) return undefined;
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const chunk of answer.body) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > MAX_INFO_BYTES) return undefined;
      chunks.push(chunk);
    }
    if ((answer.status ?? 200) >= 300) return undefined;
    const { model_type: type } = JSON.parse(Buffer.concat(chunks).toString("utf8")) as {
      model_type?: unknown;
    };
    return typeof type === "string" ? type : undefined;
  } catch {
    return undefined;
  }
}
