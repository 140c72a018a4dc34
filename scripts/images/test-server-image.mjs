// The image of the server for tests of deployments: `test-server.mjs` and its health check.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hashOf, nodeArchive } from "./base.mjs";
import { buildOnNode } from "./steps.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const files = ["Dockerfile", "test-server.mjs", "health.mjs"];
export const testServerImage = "modelgate/test-server:local";

/** What tells this image from one of another Node or of other files. */
export async function testServerKey() {
  const { key } = await nodeArchive();
  return hashOf(key, ...files.map((name) => readFileSync(join(here, name), "utf8")));
}

export async function buildTestServer(socket, { tag = testServerImage } = {}) {
  await buildOnNode(socket, { tag, key: await testServerKey(), sources: [[here, ...files]] });
  return tag;
}
