// The image of the example server with its models: its build, and the packages that it depends on as they are installed
// here.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { hashOf, nodeArchive } from "./base.mjs";
import { buildOnNode } from "./steps.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
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
      [example, "package.json", "dist"],
      [root, ...packages.map((folder) => relative(root, folder))],
    ],
  });
  return tag;
}

/** The folders of all packages that the one in `folder` needs, found as Node finds them. */
function packagesOf(folder) {
  const found = new Set();
  const pending = [folder];
  for (const each of pending) {
    const manifest = JSON.parse(readFileSync(join(each, "package.json"), "utf8"));
    const { dependencies, peerDependencies, peerDependenciesMeta } = manifest;
    // npm installs what a package expects of its user, too, unless it can do without.
    for (const name of Object.keys({ ...peerDependencies, ...dependencies })) {
      if (peerDependenciesMeta?.[name]?.optional) continue;
      const own = installed(name, each);
      if (found.has(own)) continue;
      found.add(own);
      pending.push(own);
    }
  }
  return [...found];
}

function installed(name, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, "node_modules", name);
    if (existsSync(join(path, "package.json"))) return path;
    if (folder === root || folder === dirname(folder)) {
      throw new Error(`${name} is not installed; run \`npm ci\``);
    }
  }
}
