// Gathers what the images of the Dockerfile are made of in a folder, which is then a context for `docker build`. The
// Dockerfile calls it in its own build; whoever may reach no registry from there calls it before.
//
//   node scripts/image.mjs --out FOLDER

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { imageTargets, withImageFiles } from "./images/image-files.mjs";

const { out } = parseArgs({ options: { out: { type: "string" } } }).values;
if (out === undefined) {
  console.error("--out is missing; give the folder that is to be the context");
  process.exit(2);
}
mkdirSync(out, { recursive: true });
for (const target of imageTargets) {
  await withImageFiles(target, async (archive) => {
    const tar = spawn("tar", ["--extract", "--no-same-owner", "-C", out], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    archive.pipe(tar.stdin);
    const [code] = await once(tar, "close");
    if (code !== 0) throw new Error(`tar ended with ${code}`);
  });
}
console.log(`docker build --build-arg FILES=prepared ${out}`);
