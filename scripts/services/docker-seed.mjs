// A registry with an image in it. To push Node takes seconds of compressing, so what the registry made of it once is kept.

import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../images/base.mjs";
import { callEngine, registryAuth } from "../images/engine.mjs";
import { testServerImage, testServerKey } from "../images/test-server-image.mjs";
import { runTool } from "./daemon.mjs";
import { startRegistry } from "./registry.mjs";

const repository = "modelgate/test-server";
const tag = "1";

/** `whenBuilt` resolves when the engine at `socket` has the test server's image. */
export async function startSeededRegistry({ address, socket, directory, whenBuilt }) {
  const kept = join(cacheFolder, `registry-${await testServerKey()}`);
  const isKept = existsSync(kept);
  const registry = await startRegistry({ address, directory, seed: isKept ? kept : undefined });
  try {
    if (!isKept) {
      await whenBuilt;
      await push(socket, registry);
      await keep(registry.data, kept);
    }
  } catch (error) {
    await registry.close();
    throw error;
  }
  return { registry, image: `${registry.host}/${repository}:${tag}` };
}

async function push(socket, { host, username, password }) {
  const name = `${host}/${repository}`;
  const query = new URLSearchParams({ repo: name, tag });
  await callEngine(socket, `/images/${testServerImage}/tag?${query}`, { method: "POST" });
  const headers = { "x-registry-auth": registryAuth({ username, password, serveraddress: host }) };
  await callEngine(socket, `/images/${name}/push?tag=${tag}`, { method: "POST", headers });
  // Whoever pulls it finds it missing here, as it is with any other image of a registry.
  await callEngine(socket, `/images/${name}:${tag}`, { method: "DELETE" });
}

async function keep(data, kept) {
  const own = `${kept}.${randomUUID()}`;
  mkdirSync(cacheFolder, { recursive: true });
  await runTool("cp", ["-a", data, own], { cwd: cacheFolder });
  try {
    renameSync(own, kept);
  } catch {
    rmSync(own, { recursive: true, force: true }); // Another was quicker.
  }
}
