// Processor time of processes by thread, from /proc: on a shared machine it says more than the clock does.
import { readdirSync, readFileSync } from "node:fs";

const TICK_MS = 10;

/** Milliseconds that each thread of a process has used, by thread id. */
export function threadsOf(pid) {
  const threads = new Map();
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    let stat;
    try {
      stat = readFileSync(`/proc/${pid}/task/${id}/stat`, "utf8");
    } catch {
      // It has ended since.
      continue;
    }
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    threads.set(id, { name, userMs: Number(fields[11]) * TICK_MS, systemMs: Number(fields[12]) * TICK_MS });
  }
  return threads;
}

/** What was used between two looks, the busiest thread first. */
export function usedBetween(before, after) {
  const used = [];
  for (const [id, { name, userMs, systemMs }] of after) {
    const was = before.get(id) ?? { userMs: 0, systemMs: 0 };
    used.push({ name, userMs: userMs - was.userMs, systemMs: systemMs - was.systemMs });
  }
  return used.sort((a, b) => b.userMs + b.systemMs - a.userMs - a.systemMs);
}

/** Milliseconds that all processors together were idle or waited for a disk since the machine began. */
export function idleMs() {
  const [, , , , idle, waiting] = readFileSync("/proc/stat", "utf8").split("\n", 1)[0].split(/\s+/);
  return (Number(idle) + Number(waiting)) * TICK_MS;
}

/** Milliseconds that a process, those that it started and those of them that have ended have used. */
export function treeMs(pid) {
  let sum = 0;
  for (const id of readdirSync("/proc")) {
    if (!/^\d+$/.test(id)) continue;
    let stat;
    try {
      stat = readFileSync(`/proc/${id}/stat`, "utf8");
    } catch {
      continue;
    }
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (Number(id) !== pid && Number(fields[1]) !== pid) continue;
    sum += (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    if (Number(id) === pid) sum += (Number(fields[13]) + Number(fields[14])) * TICK_MS;
  }
  return sum;
}
