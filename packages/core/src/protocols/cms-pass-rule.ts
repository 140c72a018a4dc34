import type { PassRule } from "../contracts/server-protocol.ts";
import { CMS_OPERATIONS } from "./cms-operations.ts";

/** Deeper than anybody encodes on purpose. */
const MAX_READINGS = 6;

/** First parts of paths that look like trainings and only tell of them. */
const HARMLESS = new Set(["train_eval_info", "train_eval_metrics"]);

const PASS: PassRule = { kind: "pass" };

/** One way to understand a path: its parts, as they are compared. */
interface Reading {
  readonly parts: readonly string[];
  /** It leaves the server's root. */
  readonly climbs: boolean;
  readonly hasDots: boolean;
}

/**
 * Whether a path may go to a CMS as it is. Servers and what stands before them do not agree on what a path means:
 * some decode twice, merge slashes, resolve dot segments, look at no letter case. So the path is judged by every way
 * to read it, and passes only when it passes by all of them.
 */
export function cmsPassRule(path: string): PassRule {
  if (!path.startsWith("/")) return refuse("the path must begin with a slash");
  if (/[^\x21-\x7e]|[#?\\]/.test(path)) return refuse("the path has characters that must be percent-encoded");
  // Nearly all paths can be read in one way only.
  if (/^(?:\/[\w\-:]+)+\/?$/.test(path)) return ruleOf(path.split("/")[1] ?? "");
  const texts = decodings(path);
  if (texts === undefined) return refuse("the path is not percent-encoded UTF-8");
  const slashes = count(path, "/");
  for (const text of texts) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
    if (/[\x00-\x1f\x7f\\]/.test(text)) return refuse("the path contains control characters or a backslash");
    const hasHiddenSlash = count(text, "/") > slashes;
    for (const reading of readingsOf(text)) {
      if (reading.climbs) return refuse("the path leaves the server's root");
      const rules = reading.parts.slice(0, 1).map(ruleOf);
      const rule = rules.find(({ kind }) => kind !== "pass");
      if (hasHiddenSlash && (rule !== undefined || reading.hasDots)) {
        return refuse("the path means something else once its encoded slashes are decoded");
      }
      if (rule !== undefined) return rule;
    }
  }
  return PASS;
}

/** The path, and what comes of decoding it again and again; `undefined` when it cannot be understood. */
function decodings(path: string): readonly string[] | undefined {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return undefined;
  }
  const texts = [path];
  while (decoded !== texts.at(-1)) {
    if (texts.length > MAX_READINGS) return undefined;
    texts.push(decoded);
    decoded = decodeAgain(decoded);
  }
  return texts;
}

/** What was sent must be well encoded; a percent sign that was encoded may stand for itself. */
function decodeAgain(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (encoded) =>
    Buffer.from(encoded.replaceAll("%", ""), "hex").toString("utf8"),
  );
}

/** As it stands, and with dot segments resolved, whether or not slashes are merged before. */
function readingsOf(text: string): readonly Reading[] {
  const parts = text.split("/").slice(1).map(plain);
  const merged = parts.filter((part) => part !== "");
  const hasDots = parts.some((part) => part === "." || part === "..");
  const asItStands = merged.filter((part) => part !== ".");
  if (!hasDots) return [{ parts: asItStands, climbs: false, hasDots }];
  const resolved = [resolve(merged), resolve(parts)];
  return [{ parts: asItStands, climbs: false, hasDots }, ...resolved];
}

function resolve(parts: readonly string[]): Reading {
  const kept: string[] = [];
  let climbs = false;
  for (const part of parts) {
    if (part === "..") climbs = kept.pop() === undefined || climbs;
    else if (part !== ".") kept.push(part);
  }
  return { parts: kept.filter((part) => part !== ""), climbs, hasDots: true };
}

/** A part without what some servers cut off: parameters after a semicolon, spaces around it. */
function plain(part: string): string {
  return (part.split(";")[0] ?? "").trim();
}

function ruleOf(first: string): PassRule {
  const name = first.normalize("NFKC").toLowerCase();
  if (name === "cancel_training") {
    return refuse("it would end whatever runs on the server; cancel the task instead");
  }
  if (name !== "evaluate" && (!name.startsWith("train_") || HARMLESS.has(name))) return PASS;
  if (Object.hasOwn(CMS_OPERATIONS, name)) return { kind: "task", operation: name };
  return refuse("it looks like a training, and there is no such task");
}

function refuse(reason: string): PassRule {
  return { kind: "refuse", reason };
}

function count(text: string, letter: string): number {
  return text.split(letter).length - 1;
}
