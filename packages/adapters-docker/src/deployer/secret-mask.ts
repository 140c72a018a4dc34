const MASK = "***";
/** A shorter value of a variable that only looks like a secret would black out half of every line. */
const LEAST_GUESSED = 8;
/** A shorter line of a secret that has several is a brace or the like. */
const LEAST_LINE = 4;
const LOOKS_SECRET = /password|passwd|passphrase|secret|token|credential|key/i;

/**
 * What must not be shown, longest first: values of the variables named, and of those whose names look like a secret's.
 * Each as it stands in a plain line, in a text of JSON and in an address.
 */
export function secretsOf(
  env: Readonly<Record<string, string>>,
  names: ReadonlySet<string>,
): readonly string[] {
  const secrets = new Set<string>();
  for (const [name, value] of Object.entries(env)) {
    const isGuessed = LOOKS_SECRET.test(name) && value.length >= LEAST_GUESSED;
    if (value === "" || !(names.has(name) || isGuessed)) continue;
    secrets.add(JSON.stringify(value).slice(1, -1));
    secrets.add(encodeURIComponent(value));
    const lines = value.split(/\r?\n/);
    for (const line of lines) if (lines.length === 1 || line.length >= LEAST_LINE) secrets.add(line);
  }
  return [...secrets].sort((a, b) => b.length - a.length);
}

/** Replaces secrets in a text that comes in pieces, of which each may end in the middle of one. */
export class SecretMask {
  readonly #secrets: readonly string[];
  readonly #pattern: RegExp | undefined;
  #kept = "";

  /** Longest first, so that of two that begin alike the longer one is found. */
  constructor(secrets: readonly string[]) {
    this.#secrets = secrets;
    const escaped = secrets.map((secret) => secret.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
    this.#pattern = secrets.length === 0 ? undefined : new RegExp(escaped.join("|"), "g");
  }

  /** What can be shown now. What might be the beginning of a secret is kept until more is known. */
  push(piece: string): string {
    if (this.#pattern === undefined) return piece;
    const text = this.#kept + piece;
    let undecided = this.#undecidedFrom(text);
    let shown = "";
    let at = 0;
    for (const { index, 0: secret } of text.matchAll(this.#pattern)) {
      const end = index + secret.length;
      if (end > undecided) {
        undecided = Math.min(undecided, index);
        break;
      }
      shown += text.slice(at, index) + MASK;
      at = end;
    }
    this.#kept = text.slice(undecided);
    return shown + text.slice(at, undecided);
  }

  /** The rest, when no more comes. */
  end(): string {
    const rest = this.#kept;
    this.#kept = "";
    return this.#pattern === undefined ? rest : rest.replace(this.#pattern, MASK);
  }

  /** Where the longest end of the text begins with which a secret might begin. */
  #undecidedFrom(text: string): number {
    let earliest = text.length;
    for (const secret of this.#secrets) {
      const first = secret[0] ?? "";
      let at = text.indexOf(first, Math.max(0, text.length - secret.length + 1));
      while (at >= 0 && at < earliest) {
        if (secret.startsWith(text.slice(at))) earliest = at;
        at = text.indexOf(first, at + 1);
      }
    }
    return earliest;
  }
}

/** A text with every secret replaced. */
export function masked(text: string, secrets: readonly string[]): string {
  const mask = new SecretMask(secrets);
  return mask.push(text) + mask.end();
}
