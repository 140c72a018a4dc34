// What Linux tells of processes under /proc. A process that ended but whose parent has not asked for it yet (a zombie)
// still has a number there and can still be signalled, so "is it alive" is never asked of `kill(pid, 0)` alone.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** `startedAt` is in ticks since the machine started: with the number it names a process for good. */
export function statusOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses and may hold anything.
    const end = text.lastIndexOf(")");
    const fields = text.slice(end + 2).split(" ");
    const program = text.slice(text.indexOf("(") + 1, end);
    return { program, state: fields[0], parent: Number(fields[1]), startedAt: fields[19] };
  } catch {
    return undefined;
  }
}

export function isAlive(pid, startedAt) {
  const status = statusOf(pid);
  if (status === undefined || status.state === "Z" || status.state === "X") return false;
  return startedAt === undefined || status.startedAt === startedAt;
}

/** `pid` and everything below it, parents before their children. */
export function treeOf(pid) {
  const childrenOf = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const status = statusOf(name);
    if (status === undefined || status.state === "Z") continue;
    childrenOf.set(status.parent, [...(childrenOf.get(status.parent) ?? []), Number(name)]);
  }
  const tree = [pid];
  for (const each of tree) tree.push(...(childrenOf.get(each) ?? []));
  return tree;
}

/** Numbers of processes mean something only within this. */
export function pidNamespace() {
  return /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0] ?? "0";
}
