// The Debian packages that the services are in, and their one installation. Where we may not install, the reader is told
// the very line to run.

import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { findPostgres } from "./postgres-binaries.mjs";
import { findProgram } from "./programs.mjs";
import { canMakeVenv } from "./python-venv.mjs";
import { findRabbitmq } from "./rabbitmq-binaries.mjs";
import { isRoot } from "./user.mjs";

const updateTries = 5;
const updatePauseMs = 2000;
const tailBytes = 4000;
const lockSeconds = 300;

const has = (program) => () => findProgram(program) !== undefined;
const packages = {
  "postgresql-15": () => findPostgres(15) !== undefined,
  openssl: has("openssl"),
  pgbouncer: has("pgbouncer"),
  "ceph-mon": has("ceph-mon"),
  "ceph-osd": has("ceph-osd"),
  radosgw: has("radosgw"),
  "docker.io": has("dockerd"),
  iptables: has("iptables"),
  iproute2: has("ip"),
  "docker-registry": has("docker-registry"),
  prometheus: has("prometheus"),
  "redis-server": has("redis-server"),
  "rabbitmq-server": () => findRabbitmq() !== undefined,
  "python3-venv": canMakeVenv,
};
const needs = {
  pg: ["postgresql-15", "openssl"],
  pg18: ["openssl"],
  pgbouncer: ["postgresql-15", "pgbouncer"],
  redis: ["redis-server", "openssl"],
  // For its libraries.
  valkey: ["redis-server", "openssl"],
  rabbitmq: ["rabbitmq-server", "openssl"],
  rabbitmq4: ["openssl"],
  s3: ["ceph-mon", "ceph-osd", "radosgw", "openssl"],
  docker: ["docker.io", "iptables", "iproute2", "docker-registry", "openssl"],
  mlflow: ["python3-venv"],
  prometheus: ["prometheus"],
  "python-client": ["python3-venv"],
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
  const isDone = await aptGet(apt, "install", "-y", "--no-install-recommends", ...missing);
  const seconds = ((performance.now() - from) / 1000).toFixed(1);
  say(isDone ? `installed in ${seconds} s` : `apt-get install failed after ${seconds} s`);
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
    if (await aptGet(apt, "update")) return;
    await sleep(updatePauseMs);
  }
}

/** Resolves to whether it did; what it printed is shown only when it did not. */
async function aptGet(apt, ...args) {
  const options = {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    maxBuffer: 64 * 1024 * 1024,
  };
  try {
    await promisify(execFile)(apt, ["-qq", "-o", `DPkg::Lock::Timeout=${lockSeconds}`, ...args], options);
    return true;
  } catch (error) {
    console.error(`${error.stdout ?? ""}${error.stderr ?? ""}`.slice(-tailBytes) || error.message);
    return false;
  }
}
