// Child processes of a bench: started on loopback, told ready by a line on stdout, ended with the bench whatever
// happens.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const children = new Set();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

/** Starts `node file args…`; resolves once a line of its output matches `ready`, with the match. */
export async function startNode(file, args, ready, env = {}) {
  const stdio = ["ignore", "pipe", "inherit"];
  const child = spawn(process.execPath, [file, ...args], { stdio, env: { ...process.env, ...env } });
  children.add(child);
  child.once("exit", () => children.delete(child));
  const lines = createInterface({ input: child.stdout });
  const match = await new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      const found = ready.exec(line);
      if (found !== null) resolve(found);
    });
    child.once("exit", (code) => reject(new Error(`${file} ended with ${code} before it was ready`)));
  });
  return {
    child,
    match,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    },
  };
}
