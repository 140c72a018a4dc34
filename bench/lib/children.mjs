// Child processes of a bench: started on loopback, told ready by a line on stdout, ended with the bench whatever
// happens.
import { fork, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { createInterface } from "node:readline";

const children = new Set();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

/**
 * Starts `node file args…`; resolves once a line of its output matches `ready`, with the match. What it says of errors
 * goes to the file `log`, where one is given.
 */
export async function startNode(file, args, ready, env = {}, log = undefined) {
  const stdio = ["ignore", "pipe", log === undefined ? "inherit" : openSync(log, "a")];
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

/**
 * Starts `node file args…` with a channel. `next()` gives its next message; it rejects when the child ends or
 * `timeoutMs` pass before one, since a bench that hangs is worse than one that fails.
 */
export function forkNode(file, args, { timeoutMs = 600_000, env = {} } = {}) {
  const stdio = ["ignore", "inherit", "inherit", "ipc"];
  const child = fork(file, args, { stdio, env: { ...process.env, ...env } });
  children.add(child);
  const messages = [];
  let hasEnded;
  let onChange = () => {};
  child.on("message", (message) => {
    messages.push(message);
    onChange();
  });
  child.once("exit", (code, signal) => {
    children.delete(child);
    hasEnded = signal ?? code;
    onChange();
  });
  return {
    pid: child.pid,
    send: (message) => child.send(message),
    kill: () => child.kill("SIGKILL"),
    async next() {
      const isLate = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
      try {
        while (messages.length === 0) {
          if (hasEnded !== undefined) throw new Error(`${file} ended with ${hasEnded} before it was done`);
          await new Promise((resolve) => (onChange = resolve));
        }
        return messages.shift();
      } finally {
        clearTimeout(isLate);
      }
    },
  };
}
