import { randomUUID } from "node:crypto";
import { json, Refusal } from "./answer.ts";
import { type Issue, missing, unprocessable } from "./issues.ts";

/**
 * Reads a request's query. What is wrong is collected, so that `check` refuses with all of it at once, as CMS does;
 * of a repeated parameter the last counts.
 */
export class QueryReader {
  readonly #query: URLSearchParams;
  readonly #issues: Issue[] = [];

  constructor(query: URLSearchParams) {
    this.#query = query;
  }

  text(name: string): string | undefined {
    return this.#query.getAll(name).at(-1);
  }

  /** Every value of a parameter that may be repeated. */
  all(name: string): string[] {
    return this.#query.getAll(name);
  }

  requiredText(name: string): string {
    const value = this.text(name);
    if (value === undefined) this.#issues.push(missing(["query", name]));
    return value ?? "";
  }

  flag(name: string): boolean {
    const value = this.text(name);
    if (value === undefined || /^(?:false|0|no|off|f|n)$/i.test(value)) return false;
    if (!/^(?:true|1|yes|on|t|y)$/i.test(value)) {
      const msg = "Input should be a valid boolean, unable to interpret input";
      this.#issues.push({ type: "bool_parsing", loc: ["query", name], msg, input: value });
    }
    return true;
  }

  integer(name: string, least: number = Number.NEGATIVE_INFINITY): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const loc = ["query", name];
    if (!/^\s*[+-]?\d+\s*$/.test(value)) {
      const msg = "Input should be a valid integer, unable to parse string as an integer";
      this.#issues.push({ type: "int_parsing", loc, msg, input: value });
    } else if (Number(value) < least) {
      const msg = `Input should be greater than or equal to ${least}`;
      this.#issues.push({ type: "greater_than_equal", loc, msg, input: value, ctx: { ge: least } });
    }
    return Number(value);
  }

  requiredInteger(name: string): number {
    const value = this.integer(name);
    if (value === undefined) this.#issues.push(missing(["query", name]));
    return value ?? 0;
  }

  number(name: string, least: number = Number.NEGATIVE_INFINITY): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = value.trim() === "" ? Number.NaN : Number(value);
    const loc = ["query", name];
    if (Number.isNaN(number)) {
      const msg = "Input should be a valid number, unable to parse string as a number";
      this.#issues.push({ type: "float_parsing", loc, msg, input: value });
    } else if (number < least) {
      const msg = `Input should be greater than or equal to ${least}`;
      this.#issues.push({ type: "greater_than_equal", loc, msg, input: value, ctx: { ge: least } });
    }
    return number;
  }

  numberAbove(name: string, bound: number): number | undefined {
    const number = this.number(name);
    if (number !== undefined && number <= bound) {
      const [msg, input] = [`Input should be greater than ${bound}`, this.text(name)];
      this.#issues.push({ type: "greater_than", loc: ["query", name], msg, input, ctx: { gt: bound } });
    }
    return number;
  }

  /** The caller's name for this piece of work, or a new one. */
  trackingId(): string {
    const id = this.text("tracking_id");
    if (id === undefined) return randomUUID();
    if (!/^[a-zA-Z0-9][\p{L}\p{N}_-]{0,255}$/u.test(id)) {
      const sentence = `Invalid tracking ID '${id}', must be an alphanumeric string of length 1 to 256`;
      throw new Refusal(json(400, { detail: sentence }));
    }
    return id;
  }

  /** Throws what was found wrong, together with what is wrong elsewhere in the request. */
  check(...others: readonly Issue[]): void {
    const issues = [...this.#issues, ...others];
    if (issues.length > 0) throw unprocessable(...issues);
  }
}
