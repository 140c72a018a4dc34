// Addresses for one Docker Engine: 10.N.0.0/16, in which nobody else on this machine is.
//   10.N.0.1 this side of the cable, 10.N.0.2 the engine's side, 10.N.1.0/24 its usual bridge, 10.N.128.0/17 other networks

import { runTool } from "./daemon.mjs";

const first = 100;
const count = 120;

export function rangeOf(number) {
  const prefix = `10.${number}`;
  return {
    number,
    link: `modelgate-${number}`,
    all: `${prefix}.0.0/16`,
    host: `${prefix}.0.1`,
    engine: `${prefix}.0.2`,
    bridge: `${prefix}.1.1/24`,
    pools: `${prefix}.128.0/17`,
  };
}

/** The free ranges, in an order of chance, so that two engines that start at once seldom want the same. */
export async function freeRanges(folder) {
  const listed = await runTool("ip", ["-json", "-4", "route", "show", "table", "all"], { cwd: folder });
  const taken = new Set(JSON.parse(listed).flatMap(({ dst }) => secondByteOf(dst)));
  const numbers = Array.from({ length: count }, (_, index) => first + index);
  return numbers
    .filter((number) => !taken.has(number))
    .map((number) => ({ number, order: Math.random() }))
    .sort((one, other) => one.order - other.order)
    .map(({ number }) => rangeOf(number));
}

/** Of a route within 10.0.0.0/8. One to all of it is a default for us, and ours is more exact. */
function secondByteOf(destination) {
  const [, byte, bits = "32"] = /^10\.(\d+)\.[\d.]+(?:\/(\d+))?$/.exec(destination) ?? [];
  if (byte === undefined) return [];
  const size = 2 ** Math.max(0, 16 - Number(bits));
  return Array.from({ length: size === 256 ? 0 : size }, (_, index) => Number(byte) + index);
}
