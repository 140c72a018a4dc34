import { MultipartFault } from "./multipart-fault.ts";

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const HEADER = new RegExp(`^(${TOKEN}):(.*)$`, "s");
const PARAMETER = new RegExp(
  `[ \\t]*;[ \\t]*(${TOKEN})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|([^;"\\s]*))[ \\t]*`,
  "sy",
);
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const CONTROL = /[\0-\x1f\x7f]/;

/** Checks the head of one part: that it can be read, and that its names could be those of a field and of a file. */
export function readPartHeaders(text: string, part: number): void {
  let disposition: string | undefined;
  for (const line of text === "" ? [] : text.split("\r\n")) {
    const [, name, value = ""] = HEADER.exec(line) ?? [];
    if (name === undefined) throw new MultipartFault(`the head of part ${part} has a line that is no header`);
    if (name.toLowerCase() === "content-disposition") {
      if (disposition !== undefined)
        throw new MultipartFault(`part ${part} has two Content-Disposition headers`);
      disposition = value.trim().replace(/;$/, "");
    } else if (CONTROL.test(value.replaceAll("\t", " "))) {
      throw new MultipartFault(`a header of part ${part} has a control character`);
    }
  }
  if (disposition === undefined) throw new MultipartFault(`part ${part} has no Content-Disposition header`);
  checkNames(disposition, part);
}

function checkNames(disposition: string, part: number): void {
  const parameters = readParameters(disposition, part);
  const field = parameters.get("name");
  if (field === undefined) throw new MultipartFault(`part ${part} has no name`);
  const flaw = flawOf(field);
  if (flaw !== undefined) throw new MultipartFault(`the name of part ${part} ${flaw}`, `part ${part}`);
  for (const name of ["filename", "filename*"]) {
    const value = parameters.get(name);
    const file = value === undefined || name === "filename" ? value : decodeExtended(value, part);
    const fileFlaw = file === undefined ? undefined : flawOf(file);
    if (fileFlaw !== undefined) throw new MultipartFault(`the file name of part ${part} ${fileFlaw}`, field);
  }
}

function readParameters(disposition: string, part: number): Map<string, string> {
  const malformed = (): MultipartFault =>
    new MultipartFault(`the Content-Disposition header of part ${part} is malformed`);
  const type = /^form-data[ \t]*(?=;|$)/i.exec(disposition);
  if (type === null) throw malformed();
  const parameters = new Map<string, string>();
  for (let at = type[0].length; at < disposition.length; at = PARAMETER.lastIndex) {
    PARAMETER.lastIndex = at;
    const [, name, quoted, plain = ""] = PARAMETER.exec(disposition) ?? [];
    if (name === undefined || parameters.has(name.toLowerCase())) throw malformed();
    parameters.set(name.toLowerCase(), quoted?.replace(/\\(["\\])/g, "$1") ?? plain);
  }
  return parameters;
}

/** `UTF-8''a%20file`, as RFC 8187 has it. */
function decodeExtended(value: string, part: number): string {
  const encoded = /^[^']*'[^']*'(.*)$/s.exec(value)?.[1];
  try {
    if (encoded !== undefined) return decodeURIComponent(encoded);
  } catch {
    // Percent signs that encode nothing, or another character set: below.
  }
  throw new MultipartFault(`the file name of part ${part} is not encoded as RFC 8187 says`);
}

/** Names end up in paths and in logs of model servers. */
function flawOf(name: string): string | undefined {
  if (CONTROL.test(name)) return "has a control character";
  if (name.split(/[/\\]/).includes("..")) return 'has a ".." as a part of its path';
  return undefined;
}
