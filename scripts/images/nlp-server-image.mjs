// The image of the example server with its models: its build, and the packages that it depends on as they are installed
// here.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { hashOf, nodeArchive } from "./base.mjs";
import { packagesOf, root } from "./packages-of.mjs";
import { buildOnNode } from "./steps.mjs";

const example = join(root, "examples/nlp-server");
const nlpServerImage = "modelgate/nlp-server:local";

export async function buildNlpServer(socket, { tag = nlpServerImage } = {}) {
  const dist = join(example, "dist");
  if (!existsSync(join(dist, "main.js"))) throw new Error(`${dist} is not built; run \`npm run build\``);
  const packages = packagesOf(example);
  const { key: node } = await nodeArchive();
  const built = readdirSync(dist).map((name) => [name, statSync(join(dist, name)).mtimeMs]);
  const manifests = packages.map((folder) => readFileSync(join(folder, "package.json"), "utf8"));
  const dockerfile = readFileSync(join(example, "image/Dockerfile"), "utf8");
  await buildOnNode(socket, {
    tag,
    key: hashOf(node, built, manifests, dockerfile),
    sources: [
      [join(example, "image"), "Dockerfile"],
      [example, "package.json", "dist", "notes"],
      [root, ...packages.map((folder) => relative(root, folder))],
    ],
  });
  return tag;
}
