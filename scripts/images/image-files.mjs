// What the Dockerfile copies: the command and the example server as npm would install them for their users, without what
// only developers read. An archive of it is made in a second, where copying the thousands of files takes ten.
//
//   image/packages     packages of others        image/modelgate   ours        image/volume   `data`, empty
//   image/nlp-server   the example server        image/health.mjs  the health check of both

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { packagesOf, root } from "./packages-of.mjs";

const scope = "node_modules/@modelgate";
/** Sources, types, maps, prose and what is hidden; licences stay. */
const unwanted = ["*.ts", "*.mts", "*.cts", "*.map", "*.o", "*.a", "README*", "CHANGELOG*", ".*"];
/** Without types there is nothing left of these; Debian and distroless have no musl. */
const unwantedPackage = /\/@types\/|-musl$/;

const targets = {
  modelgate: {
    folder: `${scope}/http-server`,
    renames: [
      `s,^${scope},image/modelgate,`,
      "s,^node_modules/,image/packages/,",
      "s,^LICENSE,image/modelgate/&,",
    ],
    more: ["LICENSE"],
  },
  "nlp-server": {
    folder: "examples/nlp-server",
    renames: ["s,^node_modules/,image/nlp-server/&,", "s,^examples/,image/,"],
    more: [],
  },
};
export const imageTargets = Object.keys(targets);

/** Calls `use` with an archive, a stream, of what `target` of the Dockerfile is made of, and of the Dockerfile. */
export async function withImageFiles(target, use) {
  const { folder, renames, more } = targets[target];
  const needed = [
    ...new Set([folder, ...packagesOf(join(root, folder)).map((path) => relative(root, path))]),
  ];
  const empty = mkdtempSync(join(tmpdir(), "modelgate-image-"));
  try {
    mkdirSync(join(empty, "image/volume/data"), { recursive: true, mode: 0o700 });
    const isThere = (name) => existsSync(join(root, name));
    const tar = spawn(
      "tar",
      [
        ...["--create", "--owner=0", "--group=0", "--dereference", "--hard-dereference"],
        ...unwanted.map((pattern) => `--exclude=${pattern}`),
        ...[...renames, "s,^deploy/image/,image/,"].map((rename) => `--transform=${rename}`),
        // The build in a container has no Dockerfile, so that a change in it does not repeat the build.
        ...["-C", root, ...["Dockerfile", "deploy/image/health.mjs", ...more].filter(isThere)],
        ...needed.flatMap(membersOf),
        ...["-C", empty, "image/volume"],
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const ended = new Promise((settle) => tar.once("close", settle));
    await use(tar.stdout);
    const code = await ended;
    if (code !== 0) throw new Error(`tar ended with ${code}`);
  } finally {
    rmSync(empty, { recursive: true, force: true });
  }
}

function membersOf(folder) {
  if (/^node_modules\/(?!@modelgate\/)|\/node_modules\//.test(folder)) {
    // What lies within a package of another comes with it.
    const isWithin = /node_modules\/(?!@modelgate\/).*\/node_modules\//.test(folder);
    return isWithin || unwantedPackage.test(folder) ? [] : [folder];
  }
  if (!existsSync(join(root, folder, "dist")))
    throw new Error(`${folder} has no dist; run \`npm run build\``);
  return ["package.json", "bin", "dist"]
    .map((name) => `${folder}/${name}`)
    .filter((name) => existsSync(join(root, name)));
}
