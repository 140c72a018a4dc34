import { stringify } from "yaml";
import type { Call } from "../command-spec.ts";
import { EXIT } from "../exit-codes.ts";
import { tell, writeJson, writeOut } from "../output/out.ts";
import { printSettings } from "./print-settings.ts";

/** Writes CMG's settings as a file of ours; what is wrong with them, and what has no use here, goes to standard error. */
export async function showConfig({ options, settings, fromCmg, problems, warnings }: Call): Promise<number> {
  const { content, notes } = printSettings(fromCmg, settings, options.has("show-secrets"));
  if (options.has("json")) await writeJson(content);
  else {
    const remarks = notes.map((note) => `# ${note}\n`).join("");
    await writeOut(
      `# Settings of the CogStack Model Gateway, as those of modelgate.\n${remarks}${stringify(content)}`,
    );
  }
  for (const problem of problems) tell(`wrong: ${problem}`);
  for (const warning of warnings) tell(`warning: ${warning}`);
  if (options.has("json")) for (const note of notes) tell(`left out: ${note}`);
  return problems.length > 0 ? EXIT.usage : EXIT.ok;
}
