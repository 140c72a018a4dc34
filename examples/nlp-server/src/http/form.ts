import { json, Refusal } from "./answer.ts";
import { type Issue, missing } from "./issues.ts";

export interface FormFile {
  name: string;
  bytes: Buffer;
}

/** The fields of a `multipart/form-data` or url-encoded body. A body of another type is a form without fields. */
export class Form {
  readonly issues: Issue[] = [];
  readonly #data: FormData;

  private constructor(data: FormData) {
    this.#data = data;
  }

  static async read(body: Buffer, contentType: string | undefined): Promise<Form> {
    const type = contentType?.split(";", 1)[0]?.trim().toLowerCase();
    if (type !== "multipart/form-data" && type !== "application/x-www-form-urlencoded") {
      return new Form(new FormData());
    }
    const headers = { "content-type": contentType ?? "" };
    if (type === "multipart/form-data" && !/;\s*boundary=/i.test(headers["content-type"])) {
      throw new Refusal(json(400, { detail: "Missing boundary in multipart." }));
    }
    try {
      return new Form(await new Response(new Uint8Array(body), { headers }).formData());
    } catch {
      throw new Refusal(json(400, { detail: "There was an error parsing the body" }));
    }
  }

  /** Every file of this field, in order. */
  async files(field: string): Promise<FormFile[]> {
    const files: FormFile[] = [];
    for (const [index, value] of this.#data.getAll(field).entries()) {
      if (typeof value === "string") {
        const msg = "Value error, Expected UploadFile, received: <class 'str'>";
        this.issues.push({ type: "value_error", loc: ["body", field, index], msg, input: null });
      } else {
        files.push({ name: value.name, bytes: Buffer.from(await value.arrayBuffer()) });
      }
    }
    return files;
  }

  async requiredFiles(field: string): Promise<FormFile[]> {
    if (!this.#data.has(field)) this.issues.push(missing(["body", field]));
    return this.files(field);
  }

  text(field: string): string | undefined {
    const value = this.#data.getAll(field).at(-1);
    return typeof value === "string" ? value : undefined;
  }
}
