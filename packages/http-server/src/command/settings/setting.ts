import type { Kind } from "./kinds.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a process can be. */
export const ROLE_NAMES = ["serve", "gateway", "scheduler", "reaper"] as const;
export type RoleName = (typeof ROLE_NAMES)[number];

/** Commands that ask a running gateway. */
export const CLIENTS = [
  ...(["models", "tasks", "cancel", "retry", "result", "submit"] as const),
  ...(["deploy", "undeploy", "deployments", "logs"] as const),
] as const;

export type CommandName = RoleName | (typeof CLIENTS)[number] | (typeof LOOKERS)[number] | "sweep" | "backup";

/** They take what a role would, so that they can be called in the same way. */
const LOOKERS = ["doctor", "config", "migrate", "adopt"] as const;

/** Whoever answers HTTP. */
export const ANSWERING = ["serve", "gateway", ...LOOKERS] as const;
/** Whoever runs tasks. */
export const RUNNING = ["serve", "scheduler", ...LOOKERS] as const;
/** Whoever looks after the ledger. */
export const SWEEPING = ["serve", "scheduler", "reaper", ...LOOKERS] as const;
/** Whoever handles tasks, in whatever way. */
export const HANDLING = ["serve", "gateway", "scheduler", ...LOOKERS] as const;
export const EVERY_ROLE = [...ROLE_NAMES, ...LOOKERS] as const;
/** Whoever opens the stores. */
export const STORING = [...EVERY_ROLE, "sweep", "backup"] as const;
/** Whoever needs to know what is deployed: a trial reads it. */
export const DEPLOYING = [...EVERY_ROLE, "deploy"] as const;

/** One thing that the command can be told: a flag, an environment variable and a key of the file alike. */
export interface Setting<T> {
  readonly kind: Kind<T>;
  /** Absent where there is none, or where it is made at the start. */
  readonly default?: T;
  /** How the reference tells a default that is no plain value. */
  readonly defaultText?: string;
  readonly unit?: "ms" | "bytes";
  /** It is, or may hold, a secret: no message repeats it, and a file may hold it in its place. */
  readonly isSecret?: true;
  /** What may be shown of a secret. Default: that it is given. */
  shown?(value: T): string;
  /** A flag of its own, where the key's would say again what the command says. */
  readonly flag?: string;
  /** The commands that take it. */
  readonly commands: readonly CommandName[];
  readonly text: string;
}

export type SettingTable = Readonly<Record<string, Setting<unknown>>>;
