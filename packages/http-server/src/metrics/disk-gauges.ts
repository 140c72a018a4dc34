import { statfs } from "node:fs/promises";
import { METRICS } from "./metric-table.ts";
import type { Family } from "./series.ts";

/** Of a file system. */
interface Disk {
  readonly sizeBytes: number;
  readonly freeBytes: number;
}

export async function readDisk(directory: string): Promise<Disk> {
  const { bsize, blocks, bavail } = await statfs(directory);
  // What is kept back for root is nothing that this process could use.
  return { sizeBytes: blocks * bsize, freeBytes: bavail * bsize };
}

export function diskGauges(disk: Disk | undefined): readonly Family[] {
  const samples = (value: number | undefined): Family["samples"] =>
    value === undefined ? [] : [{ labels: {}, value }];
  return [
    { spec: METRICS.diskSize, samples: samples(disk?.sizeBytes) },
    { spec: METRICS.diskFree, samples: samples(disk?.freeBytes) },
  ];
}
