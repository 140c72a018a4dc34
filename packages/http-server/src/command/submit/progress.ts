import type { TaskView } from "../client/task-view.ts";
import { durationText } from "../output/duration-text.ts";
import { printable } from "../output/printable.ts";

const FRAME_MS = 100;

const WORDS: Readonly<Record<string, string>> = {
  pending: "waiting",
  scheduled: "at work",
  running: "running",
};

/** Tells a person, or a script, how far a watched task is. */
export interface Progress {
  look(task: TaskView | undefined): void;
  /** Takes back what should not stay on a terminal. */
  end(): void;
}

export function createProgress(id: string, asJson: boolean): Progress {
  if (asJson) return jsonProgress(id);
  if (process.stderr.isTTY === true) return terminalProgress(id);
  process.stderr.write(`${id}: submitted, waiting for its end\n`);
  return { look: () => {}, end: () => {} };
}

function jsonProgress(id: string): Progress {
  const beganMs = performance.now();
  let told: string | undefined;
  return {
    look(task) {
      const status = task?.status ?? "unreachable";
      if (status === told) return;
      told = status;
      const line = { uuid: id, status, elapsed_ms: Math.round(performance.now() - beganMs) };
      process.stderr.write(`${JSON.stringify(line)}\n`);
    },
    end: () => {},
  };
}

function terminalProgress(id: string): Progress {
  const beganMs = performance.now();
  let state = "waiting";
  const draw = (): void => {
    process.stderr.write(`\r\u001b[K${id}: ${state}, ${durationText(performance.now() - beganMs)}`);
  };
  const timer = setInterval(draw, FRAME_MS);
  return {
    look(task) {
      state = task === undefined ? "the gateway does not answer" : describe(task);
    },
    end() {
      clearInterval(timer);
      process.stderr.write("\r\u001b[K");
    },
  };
}

function describe({ status, server }: TaskView): string {
  const word = WORDS[status] ?? status;
  return printable(server ? `${word} on ${server}` : word);
}
