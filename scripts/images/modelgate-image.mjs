// The images of the Dockerfile at the top, from what is built and installed here, on an engine that reaches no registry.

import { callEngine } from "./engine.mjs";
import { withImageFiles } from "./image-files.mjs";
import { baseImage, importNode } from "./steps.mjs";

/** Builds `target` of the Dockerfile, `modelgate` or `nlp-server`, and names it `tag`. */
export async function buildTarget(socket, target, tag) {
  await importNode(socket);
  const query = new URLSearchParams({
    // BuildKit, which leaves out the stages that need a registry.
    version: "2",
    t: tag,
    target,
    buildargs: JSON.stringify({ FILES: "prepared", BASE_IMAGE: baseImage }),
  });
  await withImageFiles(target, (body) => callEngine(socket, `/build?${query}`, { method: "POST", body }));
}
