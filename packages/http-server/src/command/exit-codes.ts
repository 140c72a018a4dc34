/** What the command's exit code says, for scripts. `docs/reference/command.md` explains each. */
export const EXIT = {
  ok: 0,
  /** What was asked about failed: a task, a check, the start. */
  failed: 1,
  usage: 2,
  /** No gateway answered. */
  unreachable: 3,
  /** The gateway refused. */
  refused: 4,
  interrupted: 130,
  /** The reader of the output is gone, as a shell tells it of other programs. */
  outputClosed: 141,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
