// What the builds of all images have in common. An image is known to be up to date by a label.

import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { nodeArchive } from "./base.mjs";
import { callEngine } from "./engine.mjs";

export const baseImage = "modelgate/node:local";
const label = "modelgate.recipe";

/** Whether the engine has `image` as `key` describes it. */
async function isBuilt(socket, image, key) {
  try {
    const { json } = await callEngine(socket, `/images/${image}/json`);
    return json().Config.Labels?.[label] === key;
  } catch (error) {
    if (error.status === 404) return false;
    throw error;
  }
}

/** Node and nothing else, for other images to begin with. */
export async function importNode(socket) {
  const { file, key } = await nodeArchive();
  if (await isBuilt(socket, baseImage, key)) return;
  const [repo, tag] = baseImage.split(":");
  const changes = [`LABEL ${label}=${key}`, "ENV PATH=/usr/bin"].map((line) => ["changes", line]);
  const query = new URLSearchParams([["fromSrc", "-"], ["repo", repo], ["tag", tag], ...changes]);
  await callEngine(socket, `/images/create?${query}`, { method: "POST", body: createReadStream(file) });
}

/** Builds `tag` on Node, unless it is there, from `sources`: `[folder, ...names]`, one of them "Dockerfile". */
export async function buildOnNode(socket, { tag, key, sources }) {
  if (await isBuilt(socket, tag, key)) return;
  await importNode(socket);
  const files = sources.flatMap(([folder, ...names]) => ["-C", folder, ...names]);
  const tar = spawn("tar", ["--create", "--owner=0", "--group=0", "--exclude=*.map", ...files], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const query = new URLSearchParams({
    t: tag,
    labels: JSON.stringify({ [label]: key }),
    rm: "1",
    forcerm: "1",
  });
  await callEngine(socket, `/build?${query}`, { method: "POST", body: tar.stdout });
}
