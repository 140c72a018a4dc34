import type { LogLevel } from "./settings/general-settings.ts";

type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Writes to standard error. No payload, result, key or address with credentials may be in a message or field. */
export interface Log {
  error(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  debug(message: string, fields?: Fields): void;
}

const LEVELS = ["error", "warn", "info", "debug"] as const;

export interface LogOptions {
  readonly level: LogLevel;
  readonly asJson: boolean;
  /** In every line. */
  readonly fields?: Fields;
  readonly write: (line: string) => void;
}

export function createLog({ level, asJson, fields: always, write }: LogOptions): Log {
  const most = LEVELS.indexOf(level);
  const at =
    (own: LogLevel) =>
    (message: string, fields: Fields = {}): void => {
      if (LEVELS.indexOf(own) > most) return;
      const time = new Date().toISOString();
      if (asJson) write(`${JSON.stringify({ time, level: own, message, ...always, ...fields })}\n`);
      else write(`${time} ${own} ${message}${plainFields({ ...fields, ...always })}\n`);
    };
  return { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") };
}

function plainFields(fields: Fields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${plain(String(value))}`)
    .join("");
}

/** Nothing that a field holds can look like another field, or like another line. */
function plain(value: string): string {
  return /^[^\s"\p{C}]*$/u.test(value) ? value : JSON.stringify(value);
}
