import { type Issue, missing, notString, unprocessable } from "./issues.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads the fields of a JSON object. What is wrong is collected, so that `check` refuses with all of it at once, as
 * CMS does. `null` is as good as nothing.
 */
export class FieldReader {
  readonly #fields: Fields;
  readonly #location: readonly string[];
  readonly #issues: Issue[];

  constructor(fields: Fields, location: readonly string[] = ["body"], issues: Issue[] = []) {
    this.#fields = fields;
    this.#location = location;
    this.#issues = issues;
  }

  text(name: string): string | undefined {
    const value = this.#fields[name] ?? undefined;
    if (value !== undefined && typeof value !== "string") {
      this.#issues.push(notString([...this.#location, name], value));
      return undefined;
    }
    return value;
  }

  requiredText(name: string): string {
    if (this.#isMissing(name)) return "";
    return this.text(name) ?? "";
  }

  flag(name: string): boolean {
    const value = this.#fields[name] ?? false;
    if (typeof value === "boolean") return value;
    this.#wrong("bool_type", name, "Input should be a valid boolean");
    return false;
  }

  integer(name: string, least: number): number | undefined {
    const value = this.#fields[name] ?? undefined;
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value)) {
      this.#wrong("int_type", name, "Input should be a valid integer");
      return undefined;
    }
    if (value < least) this.#outside(name, `greater than or equal to ${least}`, "greater_than_equal");
    return value;
  }

  number(name: string, least: number, most: number): number | undefined {
    const value = this.#fields[name] ?? undefined;
    if (value === undefined) return undefined;
    if (typeof value !== "number") {
      this.#wrong("float_type", name, "Input should be a valid number");
      return undefined;
    }
    if (value < least) this.#outside(name, `greater than or equal to ${least}`, "greater_than_equal");
    if (value > most) this.#outside(name, `less than or equal to ${most}`, "less_than_equal");
    return value;
  }

  /** One text, or a list of them. */
  texts(name: string): string[] {
    const value = this.#fields[name] ?? [];
    const list: unknown[] = Array.isArray(value) ? value : [value];
    for (const [index, each] of list.entries()) {
      if (typeof each === "string") continue;
      const place = Array.isArray(value) ? [name, "list[str]", index] : [name, "str"];
      this.#issues.push(notString([...this.#location, ...place], each));
    }
    return list.filter((each) => typeof each === "string");
  }

  requiredTexts(name: string): string[] {
    return this.#isMissing(name) ? [] : this.texts(name);
  }

  /** The fields of an object within this one; what is wrong there is collected here. */
  object(name: string): FieldReader {
    const value = this.#fields[name] ?? {};
    const location = [...this.#location, name];
    if (typeof value === "object" && !Array.isArray(value)) {
      return new FieldReader(value as Fields, location, this.#issues);
    }
    this.#wrong("model_attributes_type", name, "Input should be a valid dictionary or object");
    return new FieldReader({}, location, this.#issues);
  }

  /** The objects of a list. */
  objects(name: string): FieldReader[] {
    if (this.#isMissing(name)) return [];
    const value = this.#fields[name];
    if (!Array.isArray(value)) {
      this.#wrong("list_type", name, "Input should be a valid list");
      return [];
    }
    const items = new FieldReader(
      Object.fromEntries(value.entries()),
      [...this.#location, name],
      this.#issues,
    );
    return value.map((_, index) => items.object(String(index)));
  }

  check(...others: readonly Issue[]): void {
    const issues = [...this.#issues, ...others];
    if (issues.length > 0) throw unprocessable(...issues);
  }

  #isMissing(name: string): boolean {
    if (this.#fields[name] !== undefined) return false;
    this.#issues.push(missing([...this.#location, name], this.#fields));
    return true;
  }

  #wrong(type: string, name: string, msg: string): void {
    this.#issues.push({ type, loc: [...this.#location, name], msg, input: this.#fields[name] });
  }

  #outside(name: string, bounds: string, type: string): void {
    this.#wrong(type, name, `Input should be ${bounds}`);
  }
}
