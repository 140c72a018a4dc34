// The Debian packages that the services are in, and their one installation. Where we may not install, the reader is told
// the very line to run.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { findPostgres } from "./postgres-binaries.mjs";
import { findProgram } from "./programs.mjs";
import { isRoot } from "./user.mjs";

const updateTries = 5;
const lockSeconds = 300;

const has = (program) => () => findProgram(program) !== undefined;
const packages = {
  "postgresql-15": () => findPostgres(15) !== undefined,
  openssl: has("openssl"),
  pgbouncer: has("pgbouncer"),
  "ceph-mon": has("ceph-mon"),
  "ceph-osd": has("ceph-osd"),
  radosgw: has("radosgw"),
};
const needs = {
  pg: ["postgresql-15", "openssl"],
  pg18: ["openssl"],
  pgbouncer: ["postgresql-15", "pgbouncer"],
  s3: ["ceph-mon", "ceph-osd", "radosgw", "openssl"],
};

/** The packages that a service lacks here. */
function missingPackages(service) {
  return (needs[service] ?? []).filter((name) => !packages[name]());
}

/** Installs what the services lack, with one call. What is still missing afterwards is for `whyNot` to tell. */
export async function installPackages(services, say) {
  const missing = [...new Set(services.flatMap(missingPackages))];
  const apt = findProgram("apt-get");
  if (missing.length === 0 || !isRoot || apt === undefined) return;
  say(`installing ${missing.join(", ")}`);
  const from = performance.now();
  await updateLists(apt);
  const status = await aptGet(apt, "install", "-y", "--no-install-recommends", ...missing);
  const seconds = ((performance.now() - from) / 1000).toFixed(1);
  say(status === 0 ? `installed in ${seconds} s` : `apt-get install failed (${status})`);
}

/** Why a service cannot be started here, with what to do about it. */
export function whyNot(service) {
  const missing = missingPackages(service);
  if (missing.length === 0) return undefined;
  const line = `apt-get install --no-install-recommends ${missing.join(" ")}`;
  if (findProgram("apt-get") === undefined) {
    return `needs Debian's packages ${missing.join(", ")}, and there is no apt-get here; start the server yourself and name it by its variable`;
  }
  return isRoot ? `could not be installed; try: ${line}` : `is not installed; run as root: ${line}`;
}

/** The lists have a lock of their own, for which apt-get does not wait as it does for dpkg's. */
async function updateLists(apt) {
  for (let count = 1; count <= updateTries; count += 1) {
    if ((await aptGet(apt, "update")) === 0) return;
    await new Promise((next) => setTimeout(next, 2000));
  }
}

async function aptGet(apt, ...args) {
  const child = spawn(apt, ["-qq", "-o", `DPkg::Lock::Timeout=${lockSeconds}`, ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    // What a caller reads from our standard output is not apt's.
    stdio: ["ignore", 2, 2],
  });
  const [code, signal] = await Promise.race([
    once(child, "exit"),
    once(child, "error").then(([error]) => [error.code]),
  ]);
  return signal ?? code;
}
