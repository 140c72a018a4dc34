// Puts faults into sources and takes them out again. A fault names its place by the text that stands there, which must
// be there exactly once: a source that has changed makes a clear error instead of a fault that is none.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The sources that `faults` change, by path: `{ before, after }`. Throws for a place that is not there once. */
export function faultySources(faults, root) {
  const sources = new Map();
  for (const { file, find, replace } of faults) {
    const before = sources.get(file)?.before ?? readFileSync(join(root, file), "utf8");
    const current = sources.get(file)?.after ?? before;
    const count = current.split(find).length - 1;
    if (count !== 1) {
      throw new Error(`${file} has ${count} places ${JSON.stringify(find)}; name one that is there once`);
    }
    if (find === replace) throw new Error(`${file}: the fault ${JSON.stringify(find)} changes nothing`);
    sources.set(file, { before, after: current.replace(find, () => replace) });
  }
  return sources;
}

/** Writes them below `folder`; gives back what undoes it. */
export function applyFaults(faults, folder) {
  const sources = faultySources(faults, folder);
  for (const [file, { after }] of sources) writeFileSync(join(folder, file), after);
  return () => {
    for (const [file, { before }] of sources) writeFileSync(join(folder, file), before);
  };
}
