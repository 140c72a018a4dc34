import { type Issue, invalid } from "../answers.ts";
import { Refused } from "../exchange.ts";
import { FALSE_FORMS, TRUE_FORMS } from "../query.ts";

type Fields = Readonly<Record<string, unknown>>;
type Place = readonly (string | number)[];

/**
 * Reads the fields of a JSON object as pydantic does, whose callers send `null` for what they leave out, and numbers as
 * texts. What is wrong is collected, so that all of it is told at once.
 */
export class FieldReader {
  readonly #fields: Fields;
  readonly #place: Place;
  readonly #issues: Issue[];

  constructor(fields: Fields, place: Place = ["body"], issues: Issue[] = []) {
    this.#fields = fields;
    this.#place = place;
    this.#issues = issues;
  }

  /** Throws `Refused` when something was wrong. */
  finish(): void {
    if (this.#issues.length > 0) throw new Refused(invalid(this.#issues));
  }

  has(name: string): boolean {
    return this.#take(name) !== undefined;
  }

  text(name: string): string | undefined {
    const value = this.#take(name);
    if (value === undefined || typeof value === "string") return value;
    return this.refuse(name, "string_type", "Input should be a valid string");
  }

  integer(name: string, above?: number): number | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    let number = value;
    if (typeof value === "string") {
      if (!/^\s*[+-]?\d+\s*$/.test(value)) {
        const msg = "Input should be a valid integer, unable to parse string as an integer";
        return this.refuse(name, "int_parsing", msg);
      }
      number = Number(value);
    }
    if (typeof number !== "number" || !Number.isInteger(number)) {
      return this.refuse(name, "int_type", "Input should be a valid integer");
    }
    if (above !== undefined && number <= above) {
      return this.refuse(name, "greater_than", `Input should be greater than ${above}`, { gt: above });
    }
    return number;
  }

  boolean(name: string, standard: boolean): boolean {
    const value = this.#take(name);
    if (value === undefined) return standard;
    if (typeof value === "boolean") return value;
    const form = typeof value === "string" || typeof value === "number" ? `${value}`.toLowerCase() : "";
    if (TRUE_FORMS.has(form)) return true;
    if (FALSE_FORMS.has(form)) return false;
    this.refuse(name, "bool_parsing", "Input should be a valid boolean, unable to interpret input");
    return standard;
  }

  /** The object that this field holds, which may have these fields and no others. */
  object(name: string, allowed: readonly string[]): FieldReader | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (!isObject(value)) return this.refuse(name, "dict_type", "Input should be an object");
    const inner = new FieldReader(value, [...this.#place, name], this.#issues);
    inner.#allow(allowed);
    return inner;
  }

  /** The objects of the list that this field holds. */
  objects(name: string, allowed: readonly string[]): readonly FieldReader[] | undefined {
    const value = this.#list(name, isObject, "objects");
    return value?.map((each, index) => {
      const inner = new FieldReader(each, [...this.#place, name, index], this.#issues);
      inner.#allow(allowed);
      return inner;
    });
  }

  texts(name: string): readonly string[] | undefined {
    return this.#list(name, (each) => typeof each === "string", "strings");
  }

  /** A text, or a number as JSON has it. */
  textOrNumber(name: string): string | number | undefined {
    const value = this.#take(name);
    if (value === undefined || typeof value === "string" || typeof value === "number") return value;
    return this.refuse(name, "string_type", "Input should be a valid string");
  }

  refuse(name: string, type: string, msg: string, ctx?: Issue["ctx"]): undefined {
    this.#issues.push({ type, loc: [...this.#place, name], msg, input: null, ...(ctx && { ctx }) });
  }

  #list<T>(name: string, is: (each: unknown) => each is T, what: string): readonly T[] | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every(is)) return value;
    return this.refuse(name, "list_type", `Input should be a list of ${what}`);
  }

  /** What is asked for and cannot be given must not be passed over: nobody would notice that a limit is not there. */
  #allow(allowed: readonly string[]): void {
    for (const name of Object.keys(this.#fields)) {
      if (!allowed.includes(name) && this.has(name)) {
        this.refuse(name, "extra_forbidden", `Only ${allowed.join(", ")} can be given here`);
      }
    }
  }

  #take(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? (this.#fields[name] ?? undefined) : undefined;
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
