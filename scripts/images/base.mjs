// The files of an image that holds Node and nothing else: the binary that runs us with the libraries that it was linked
// to. No image is downloaded, so that tests with containers need no network.

import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
export const cacheFolder = fileURLToPath(
  new URL("../../node_modules/.cache/modelgate-images/", import.meta.url),
);

/** Wants a library more than Node itself does; without it no store of an earlier Node than 22.13 opens. */
const addon = fileURLToPath(
  new URL(`../../node_modules/@libsql/${process.platform}-${process.arch}-gnu/index.node`, import.meta.url),
);

const recipe = {
  "etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\nmodelgate:x:1000:1000:modelgate:/tmp:/sbin/nologin\n",
  "etc/group": "root:x:0:\nmodelgate:x:1000:\n",
  "etc/nsswitch.conf": "hosts: files dns\n",
};

/** Resolves to `{ file, key }`: the archive, made unless there is one, and what tells it from one of another Node. */
export async function nodeArchive() {
  const binary = realpathSync(process.execPath);
  const { size, mtimeMs } = statSync(binary);
  const key = hashOf(process.version, binary, size, mtimeMs, recipe, existsSync(addon));
  const file = join(cacheFolder, `node-${key}.tar`);
  if (!existsSync(file)) await pack(binary, file);
  return { file, key };
}

export function hashOf(...parts) {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}

async function pack(binary, file) {
  // Several may do it at once; each makes a whole archive, and the last one's stays.
  const stage = join(cacheFolder, `stage-${randomUUID()}`);
  try {
    for (const [path, text] of Object.entries(recipe)) put(stage, path, (to) => writeFileSync(to, text));
    put(stage, "usr/bin/node", (to) => copyFileSync(binary, to));
    const programs = [binary, addon].filter((each) => existsSync(each));
    const libraries = new Set((await Promise.all(programs.map(librariesOf))).flat());
    for (const library of libraries) put(stage, library, (to) => copyFileSync(library, to));
    mkdirSync(join(stage, "tmp"));
    chmodSync(join(stage, "tmp"), 0o1777);
    await run("tar", [
      "--create",
      "--owner=0",
      "--group=0",
      "--sort=name",
      "--file",
      `${stage}.tar`,
      "-C",
      stage,
      ".",
    ]);
    renameSync(`${stage}.tar`, file);
  } finally {
    rmSync(stage, { recursive: true, force: true });
    rmSync(`${stage}.tar`, { force: true });
  }
}

function put(stage, path, write) {
  const to = join(stage, path);
  mkdirSync(dirname(to), { recursive: true });
  write(to);
}

/** Lines of ldd are `name => path (address)`, or `path (address)` for the loader. */
async function librariesOf(binary) {
  const { stdout } = await run("ldd", [binary]).catch(({ stdout: said }) => ({ stdout: said ?? "" }));
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path);
}
