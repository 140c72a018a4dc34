import { readFileSync } from "node:fs";
import type { Running } from "./running.ts";

/** One of the small exports beside the notes; the expected numbers of the tests were worked out by hand from them. */
export function exportFile(name: "a" | "b" | "c"): string {
  return readFileSync(new URL(`../notes/trainer-export-${name}.json`, import.meta.url), "utf8");
}

/** A form with these files in one field. */
export function formOf(field: string, ...contents: readonly string[]): FormData {
  const form = new FormData();
  for (const [index, content] of contents.entries()) {
    form.append(field, new Blob([content], { type: "application/json" }), `file-${index}.json`);
  }
  return form;
}

export function exportsForm(...names: readonly ("a" | "b" | "c")[]): FormData {
  return formOf("trainer_export", ...names.map(exportFile));
}

export async function postForm(
  { url }: Pick<Running, "url">,
  path: string,
  form: FormData,
): Promise<Response> {
  return fetch(url + path, { method: "POST", body: form });
}

/** The content type and the file name that an answer gives. */
export function fileOf(response: Response): (string | null)[] {
  return [response.headers.get("content-type"), response.headers.get("content-disposition")];
}
