// The command that runs between start and end of the services: in our terminal, with our signals, and gone when we are.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { statusOf } from "./proc.mjs";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
const parentPollMs = 250;
const graceMs = 10_000;
/** Read before anything is waited for: once it has changed, it never changes again. */
const parent = process.ppid;
/** npm runs scripts in a shell, which outlives it and knows nothing of it. */
const npm = process.env.npm_lifecycle_event && isShell(parent) ? statusOf(parent)?.parent : undefined;

function isShell(pid) {
  return /sh$/.test(statusOf(pid)?.program ?? "");
}

function isAlone() {
  return process.ppid !== parent || (npm !== undefined && statusOf(parent)?.parent !== npm);
}

/** Calls `end(signal)` when we are told to end, or when whoever started us is gone without a word. */
export function onEnd(end) {
  const timer = setInterval(() => isAlone() && end("SIGTERM"), parentPollMs);
  for (const signal of signals) process.on(signal, end);
  return () => {
    clearInterval(timer);
    for (const signal of signals) process.off(signal, end);
  };
}

/** Runs `command` to its end: `{ code }`, `{ signal }`, or `{ error }` when it cannot be started. */
export async function runCommand([command, ...args], { env, cwd, stdio = "inherit" } = {}) {
  const isLinux = process.platform === "linux";
  const [program, all] = isLinux
    ? ["setpriv", ["--pdeathsig", "KILL", "--", command, ...args]]
    : [command, args];
  const child = spawn(program, all, { cwd, stdio, env: { ...process.env, ...env } });
  let isTold = false;
  const forget = onEnd((signal) => {
    // A terminal tells its whole foreground group, so the command has had its Ctrl-C already.
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    if (isTold) return;
    isTold = true;
    sleep(graceMs, undefined, { ref: false }).then(() => child.kill("SIGKILL"));
  });
  const outcome = await new Promise((settle) => {
    child.once("error", (error) => settle({ error }));
    child.once("close", (code, signal) => settle(signal === null ? { code } : { signal }));
  });
  forget();
  return { ...outcome, isTold };
}

/** Ends this process as the command ended. */
export function endAs({ code, signal, error }) {
  if (error !== undefined) console.error(`the command could not be started: ${error.message}`);
  if (signal === undefined) process.exit(code ?? 127);
  process.kill(process.pid, signal);
  // One that does not end us, whatever it was.
  process.exit(128 + (constants.signals[signal] ?? 1));
}
