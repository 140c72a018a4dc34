// Which user a server runs as. PostgreSQL and pgbouncer refuse to run as root, and so they should.

import { chownSync, readFileSync } from "node:fs";

export const isRoot = process.getuid?.() === 0;

/** The first of `names` that this machine has, when there is a root to give up; otherwise we stay who we are. */
export function chooseUser(...names) {
  if (!isRoot) return undefined;
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const name of names) {
    const line = lines.find((each) => each.startsWith(`${name}:`));
    if (line === undefined) continue;
    const [, , uid, gid] = line.split(":");
    return { name, uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(`this machine has none of the users ${names.join(", ")}`);
}

export function giveTo(user, ...paths) {
  if (user !== undefined) for (const path of paths) chownSync(path, user.uid, user.gid);
}

/** The command line that runs `command` as `user`, and that the kernel kills when we end. */
export function boundTo(user, command, args) {
  const drop =
    user === undefined
      ? []
      : [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups", "--no-new-privs"];
  return ["setpriv", ["--pdeathsig", "KILL", ...drop, command, ...args]];
}

/** The same environment on every machine: a developer's PGPORT or CEPH_ARGS must not reach a server. */
export function cleanEnv(home, more = {}) {
  const path = `${process.env.PATH ?? ""}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin`;
  return { PATH: path, HOME: home, LANG: "C.UTF-8", TZ: "UTC", ...more };
}
