import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { services } from "../../scripts/services/launcher.mjs";
import { faultySources } from "../../scripts/weaknesses/apply-faults.mjs";
import { rows as listed } from "../../scripts/weaknesses/rows.mjs";

/** A row as scripts/weaknesses/rows.mjs describes it. */
interface Row {
  readonly id: string;
  readonly title: string;
  readonly faults?: readonly { readonly file: string; readonly find: string; readonly replace: string }[];
  readonly test?: {
    readonly file: string;
    readonly name: string;
    readonly services?: readonly string[];
    readonly written?: { readonly file?: string; readonly text?: string };
  };
  readonly impossible?: string;
  readonly open?: string;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const rows: readonly Row[] = listed;
const page = readFileSync(`${root}docs/explanation/upstream-weaknesses.md`, "utf8");
const inPage = new Map(page.split("\n").map((line) => [/^\| (W-\d+) \|/.exec(line)?.[1], line]));

/** Why a row proves nothing; `npm run weaknesses` tells whether its test really goes red. */
function faultOf({ title, faults, test, impossible, open }: Row): string | undefined {
  if (title.length < 10) return "has no title";
  const kinds = [test, impossible, open].filter((kind) => kind !== undefined);
  if (kinds.length !== 1) return "must have one of test, impossible and open";
  if (test === undefined) return (impossible ?? open ?? "").length < 30 ? "does not say why" : undefined;
  if (faults === undefined || faults.length === 0) return "has a test and no faults";
  try {
    faultySources(faults, root);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const { file, name, written } = test;
  for (const path of [file, written?.file ?? file])
    if (!existsSync(root + path)) return `${path} is not there`;
  const source = readFileSync(root + (written?.file ?? file), "utf8");
  if (!source.includes(written?.text ?? name)) return `${written?.file ?? file} has no test "${name}"`;
  const unknown = test.services?.find((service) => !Object.hasOwn(services, service));
  return unknown === undefined ? undefined : `wants a service "${unknown}" that is not there`;
}

/** What is wrong with a row of the page for people. */
function pageFaultOf({ id, test, impossible }: Row): string | undefined {
  const line = inPage.get(id);
  if (line === undefined) return "is not on the page";
  if (test !== undefined)
    return line.includes(`(../../${test.file})`) ? undefined : `does not link to ${test.file}`;
  const word = impossible === undefined ? "open" : "cannot exist here";
  return line.endsWith(` ${word} |`) ? undefined : `does not end with "${word}"`;
}

function complaints(faultIn: (row: Row) => string | undefined): readonly string[] {
  return rows.flatMap((row) => {
    const fault = faultIn(row);
    return fault === undefined ? [] : [`${row.id} ${fault}`];
  });
}

describe("the weaknesses of CogStack's gateway", () => {
  const ids = Array.from({ length: 68 }, (_, at) => `W-${at + 1}`);

  it("are all listed, each once", () => {
    expect(rows.map(({ id }) => id)).toEqual(ids);
    expect([...inPage.keys()].filter((id) => id !== undefined)).toEqual(ids);
  });

  it("can each be put in, and have a test that is there", () => {
    expect(complaints(faultOf)).toEqual([]);
  });

  it("are on the page with that test, or as what they are", () => {
    expect(complaints(pageFaultOf)).toEqual([]);
  });
});
