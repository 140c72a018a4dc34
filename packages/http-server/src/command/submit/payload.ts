import type { UploadBody } from "../client/send-request.ts";
import type { Options } from "../command-spec.ts";
import { requirePairs } from "../require-option.ts";
import { UsageError } from "../usage-error.ts";
import { contentTypeFor, isFormTask } from "./content-types.ts";
import { fileSource } from "./file-source.ts";
import { formBody } from "./form-body.ts";

export interface Payload {
  readonly contentType: string;
  readonly body: UploadBody;
}

/** What is to be sent for a task: a file, standard input, a form, or nothing. Throws `CommandError`. */
export async function payloadOf(task: string, file: string | undefined, options: Options): Promise<Payload> {
  const isForm = options.has("field") || options.has("file");
  if (isForm) {
    if (file !== undefined)
      throw new UsageError("Give a FILE, or the parts of a form by --field and --file, not both.");
    if (options.has("content-type"))
      throw new UsageError("--content-type is for a FILE; a form has its own.");
    return formBody({ fields: requirePairs(options, "field"), files: requirePairs(options, "file") });
  }
  const given = options.get("content-type");
  if (file === undefined) {
    if (task === "info")
      return { contentType: given ?? "application/json", body: { bytes: nothing(), sizeBytes: 0 } };
    const hint = isFormTask(task) ? "--file NAME=PATH" : "FILE, or - for standard input";
    throw new UsageError(`${task} needs ${hint}.`);
  }
  if (given === undefined && isFormTask(task)) {
    throw new UsageError(
      `${task} takes a form: give --file NAME=${file === "-" ? "PATH" : file} in place of ${file}.`,
    );
  }
  const contentType = given ?? contentTypeFor(task, file);
  return { contentType, body: file === "-" ? { bytes: process.stdin } : await fileSource(file) };
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}
