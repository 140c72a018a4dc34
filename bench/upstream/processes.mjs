// What processes and all of their descendants have used: CPU by the kernel's clock, and memory with what several of them
// share counted once.

import { readdirSync, readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100;

/** @param {readonly number[]} roots */
export function usageOf(roots) {
  const table = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      // Of itself, and of children that have ended.
      const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0);
      table.set(Number(name), { parent: Number(fields[1]), ticks });
    } catch {
      // It has ended meanwhile.
    }
  }
  const family = new Set(roots);
  for (let size = -1; size !== family.size; ) {
    size = family.size;
    for (const [pid, { parent }] of table) if (family.has(parent)) family.add(pid);
  }
  let cpuMs = 0;
  let memoryMiB = 0;
  for (const pid of family) {
    cpuMs += ((table.get(pid)?.ticks ?? 0) * 1000) / TICKS_PER_SECOND;
    memoryMiB += sharedOnce(pid);
  }
  return { cpuMs, memoryMiB };
}

function sharedOnce(pid) {
  try {
    const [, kibibytes = "0"] =
      /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
    return Number(kibibytes) / 1024;
  } catch {
    return 0;
  }
}
