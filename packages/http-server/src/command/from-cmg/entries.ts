import type { KeyName } from "../settings/names.ts";

/** One of our settings, as CMG's file, variables or defaults give it. */
export interface CmgEntry {
  /** `undefined` takes back what something weaker says. */
  readonly value: unknown;
  /** Where it comes from, for people. */
  readonly as: string;
}

/** What CMG's settings come to. */
export interface CmgSettings {
  /** Of its file, and of what it takes where the file says nothing: ours come before these. */
  readonly file: ReadonlyMap<KeyName, CmgEntry>;
  /** Of its variables, which come before our file. */
  readonly variables: ReadonlyMap<KeyName, CmgEntry>;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** Collects settings, and what is said of them. */
export class CmgEntries {
  readonly entries = new Map<KeyName, CmgEntry>();
  readonly warnings: string[] = [];

  set(name: KeyName, value: unknown, as: string): void {
    this.entries.set(name, { value, as });
  }

  warn(sentence: string): void {
    this.warnings.push(sentence);
  }
}

/** Whole seconds, as its settings are, in our milliseconds; what is none is left as it is, for the reader to refuse. */
export function msOf(seconds: unknown): unknown {
  return typeof seconds === "number" && Number.isFinite(seconds) ? seconds * 1000 : seconds;
}
