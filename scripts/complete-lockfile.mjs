// A registry mirror may carry the binaries of its own platform only. npm then drops the other platforms' optional
// packages from the lockfile, and `npm ci` refuses that lockfile everywhere. This script writes the dropped entries
// back, from what the locked packages declare; npm fetches none that is for another platform. Run it after
// `npm install` changed the lockfile: `node scripts/complete-lockfile.mjs [package-lock.json]`.

import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [given] = process.argv.slice(2);
const file =
  given === undefined ? fileURLToPath(new URL("../package-lock.json", import.meta.url)) : resolve(given);
const lock = JSON.parse(readFileSync(file, "utf8"));

const systems = [
  "aix",
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "win32",
];
const processors = [
  "arm64",
  "arm",
  "ia32",
  "loong64",
  "mips64el",
  "ppc64",
  "riscv64",
  "s390x",
  "wasm32",
  "x64",
];

/** The platform in a name such as `@scope/binding-linux-arm64-musl`; turbo and esbuild say windows and 64. */
function platformOf(name) {
  const words = name.split("/").pop().split("-");
  const alias = {
    windows: "win32",
    64: "x64",
    wasm: "wasm32",
    openharmonyos: "openharmony",
    wasi: undefined,
  };
  const said = words.map((word) => (word in alias ? alias[word] : word));
  const os = systems.find((system) => said.includes(system));
  const cpu = processors.find((processor) => said.includes(processor));
  const abi = words.at(-1);
  const libc = os !== "linux" ? undefined : /musl/.test(abi) ? "musl" : /gnu/.test(abi) ? "glibc" : undefined;
  return { cpu: cpu && [cpu], libc: libc && [libc], os: os && [os] };
}

/** Whether Node's lookup from `from` would find `name` in the locked tree. */
function isLocked(from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    if (lock.packages[`${at}/node_modules/${name}`.replace(/^\//, "")]) return true;
    if (!at.includes("/node_modules/")) return Boolean(lock.packages[`node_modules/${name}`]);
  }
}

const added = {};
for (const [path, locked] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(locked.optionalDependencies ?? {})) {
    if (isLocked(path, name)) continue;
    const platform = platformOf(name);
    // Only a pinned package of a platform can be written down unseen.
    if (!/^\d+\.\d+\.\d+\S*$/.test(version) || !(platform.os || platform.cpu)) {
      throw new Error(
        `${path} wants ${name}@${version}, which is not locked and names no platform; add it by hand.`,
      );
    }
    const { cpu, libc, os } = platform;
    // In npm's own order, so that its next write changes nothing; JSON leaves out what is undefined.
    added[`node_modules/${name}`] = { version, cpu, dev: locked.dev, libc, optional: true, os };
  }
}

const packages = Object.entries({ ...lock.packages, ...added }).sort(([a], [b]) => a.localeCompare(b, "en"));
lock.packages = Object.fromEntries(packages);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${Object.keys(added).length} entries added to ${file}.`);
