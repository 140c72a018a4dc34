import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("client/main.py", import.meta.url));

export type ClientClass = "GatewayClient" | "GatewayClientSync";

/** What the checks are told of the gateway and its models. */
export interface ClientWorld {
  readonly name: ClientClass;
  /** With whatever lets this caller do what only some may. */
  readonly url: string;
  /** Where nobody listens. */
  readonly nowhere: string;
  readonly model: string;
  /** A model that may be trained. */
  readonly pupil: string;
  /** A model that is ready and answers nothing else. */
  readonly hanging: string;
  /** What names of deployed models begin with. */
  readonly prefix: string;
  /** A run of the tracker, and where its model is. */
  readonly tracked: { readonly run_id: string; readonly uri: string } | null;
  /** Files with trainer exports, and one with texts. */
  readonly exports: readonly string[];
  readonly texts: string;
}

export interface ClientReport {
  /** By check, in their order; `null` where all was as it should be. */
  readonly checks: Readonly<Record<string, string | null>>;
  /** The public names of the class as it is installed, and those of which the checks made use. */
  readonly public: readonly string[];
  readonly used: readonly string[];
}

interface Line {
  readonly check?: string;
  readonly error?: string | null;
  readonly ask?: string;
  readonly public?: readonly string[];
  readonly used?: readonly string[];
}

/** Runs all checks of a class in a Python of their own; `onAsk` does what they cannot do themselves. */
export async function runClient(
  python: string,
  world: ClientWorld,
  onAsk: (wish: string) => Promise<void>,
): Promise<ClientReport> {
  const child = spawn(python, ["-u", "-B", program], {
    env: { PATH: process.env["PATH"], PYTHONUTF8: "1" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = once(child, "close");
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.on("error", () => {});
  child.stdin.write(`${JSON.stringify(world)}\n`);
  const checks: Record<string, string | null> = {};
  let last: Line = {};
  for await (const text of createInterface(child.stdout)) {
    const line = JSON.parse(text) as Line;
    if (line.check !== undefined) checks[line.check] = line.error ?? null;
    if (line.ask !== undefined) {
      await onAsk(line.ask);
      child.stdin.write("\n");
    }
    last = line;
  }
  const [code] = await ended;
  if (code !== 0 || last.public === undefined) throw new Error(`the checks broke off (${code}): ${stderr}`);
  return { checks, public: last.public, used: last.used ?? [] };
}
