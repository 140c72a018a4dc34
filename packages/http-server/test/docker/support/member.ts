import { type RunningCommand, runCommand } from "../../support/run-command.ts";
import type { MemberKind } from "./cluster.ts";

/** One process of a cluster, which may be killed, stopped for a while and started again. */
export class Member {
  readonly kind: MemberKind;
  readonly name: string;
  url: string | undefined;
  isUp = false;
  readonly #command: string;
  readonly #config: string;
  readonly #runs: RunningCommand[] = [];

  constructor(kind: MemberKind, name: string, command: string, config: string) {
    this.kind = kind;
    this.name = name;
    this.#command = command;
    this.#config = config;
  }

  /** Resolves once it is at work. */
  async start(): Promise<void> {
    const { kind } = this;
    const role = kind === "reaper" ? ["reaper"] : ["serve", "--port", "0"];
    const running = runCommand(this.#command, [...role, "--config", this.#config]);
    this.#runs.push(running);
    if (kind === "reaper") await working(running);
    else this.url = await running.listening();
    this.isUp = true;
  }

  async kill(): Promise<void> {
    this.isUp = false;
    const running = this.#runs.at(-1);
    running?.child.kill("SIGKILL");
    await running?.ended;
  }

  /** It stands still without its knowing; its connections stay open. */
  pause(): void {
    this.isUp = false;
    this.#runs.at(-1)?.child.kill("SIGSTOP");
  }

  resume(): void {
    this.#runs.at(-1)?.child.kill("SIGCONT");
    this.isUp = true;
  }

  output(): string {
    return this.#runs.map(({ stdout, stderr }) => stdout() + stderr()).join("--- started again\n");
  }
}

async function working({ child, stdout, stderr, ended }: RunningCommand): Promise<void> {
  let end: number | string | undefined;
  void ended.then((how) => {
    end = how;
  });
  while (!stdout().includes("is at work")) {
    if (end !== undefined) throw new Error(`the reaper ended (${end}): ${stderr()}`);
    await new Promise((resolve) => child.stdout?.once("data", resolve));
  }
}
