import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import type { EngineConnection } from "../connection/connection.ts";
import { EngineError } from "../connection/engine-error.ts";
import type { Vantage } from "./address.ts";
import { factsOf } from "./container-facts.ts";
import { recordOf, textOf } from "./json-fields.ts";

const HERE = "127.0.0.1";

/**
 * Finds out from where the engine's containers are reached: in a container, its own networks; on the host of the
 * engine, all; elsewhere, or when the engine runs rootless or in a virtual machine, none, so that only published ports
 * are left. What the engine will not tell, as behind a proxy that filters, counts as not in the way.
 */
export async function findVantage(
  connection: EngineConnection,
  publishedHost: string | undefined,
): Promise<Vantage> {
  const host = publishedHost ?? connection.remoteHost ?? HERE;
  const own = await ownNetworks(connection);
  if (own !== undefined) return { publishedHost: host, reach: own };
  const isHere = connection.remoteHost === undefined && process.platform === "linux";
  return { publishedHost: host, reach: isHere && !(await isSecluded(connection)) ? "all" : "none" };
}

/** Ids of the networks of the container that we run in; undefined when we run in none of this engine. */
async function ownNetworks(connection: EngineConnection): Promise<ReadonlySet<string> | undefined> {
  const id = await ownContainerId();
  if (id === undefined) return undefined;
  const facts = factsOf(await ask(connection, `/containers/${encodeURIComponent(id)}/json`));
  if (facts === undefined || facts.networkMode === "host") return undefined;
  return new Set(facts.networks.map((network) => network.id));
}

/** Files that an engine mounts into each of its containers lie in a folder of the container's name. */
async function ownContainerId(): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  const mounts = await readFile("/proc/self/mountinfo", "utf8").catch(() => "");
  const id =
    /\/containers\/(?:overlay-containers\/)?([0-9a-f]{64})\/\S*(?:hostname|hosts|resolv\.conf) /.exec(
      mounts,
    )?.[1];
  if (id !== undefined) return id;
  return /^[0-9a-f]{12}$/.test(hostname()) ? hostname() : undefined;
}

/** Whether the addresses of its containers stay within the engine. */
async function isSecluded(connection: EngineConnection): Promise<boolean> {
  const info = recordOf(await ask(connection, "/info"));
  const options = Array.isArray(info["SecurityOptions"]) ? info["SecurityOptions"] : [];
  return options.includes("name=rootless") || textOf(info["OperatingSystem"]) === "Docker Desktop";
}

async function ask(connection: EngineConnection, path: string): Promise<unknown> {
  try {
    return (await connection.call({ path })).body;
  } catch (error) {
    if (EngineError.is(error)) return undefined;
    throw error;
  }
}
