/** Where the thread of a store begins: tests bundle it, since Node 20 runs no TypeScript. */
export function workerFile(): URL {
  const here = import.meta.url;
  return new URL(
    here.endsWith(".ts") ? "../../node_modules/.cache/sqlite-worker/worker.js" : "./worker.js",
    here,
  );
}
