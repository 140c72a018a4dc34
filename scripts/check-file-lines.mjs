// A file over 400 lines holds more than one subject. This check says so while the split is still cheap; it looks at
// every source file that git tracks or would track, so that nothing escapes by not being added yet.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const limit = 400;
const root = new URL("../", import.meta.url);
const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
  maxBuffer: 64 * 1024 * 1024,
});

function lineCount(name) {
  try {
    const text = readFileSync(new URL(name, root), "utf8");
    return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  } catch (error) {
    // Tracked, but deleted in the work tree.
    if (error.code === "ENOENT") return 0;
    throw error;
  }
}

const names = [...new Set(listed.split("\0"))]
  .filter((name) => /\.(ts|tsx|mjs|js)$/.test(name))
  .filter((name) => !/(^|\/)(dist|node_modules)\//.test(name));
const tooLong = names.map((name) => ({ name, lines: lineCount(name) })).filter(({ lines }) => lines > limit);

for (const { name, lines } of tooLong) {
  console.error(`${name}: ${lines} lines, at most ${limit} are allowed. Split it by subject.`);
}
if (tooLong.length > 0) process.exit(1);
console.log(`${names.length} files, none over ${limit} lines.`);
