// Resident memory of a process, as Linux counts it.
import { readFileSync, writeFileSync } from "node:fs";

function field(pid, name) {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(match[1]) / 1024;
}

export function residentMib(pid) {
  return field(pid, "VmRSS");
}

/** The highest since the last reset. */
export function peakMib(pid) {
  return field(pid, "VmHWM");
}

export function resetPeak(pid) {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}
