import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const page = new URL("../../../docs/reference/cmg-compatibility.md", import.meta.url);
const COLUMNS = 4;

interface Row {
  readonly section: string;
  readonly cells: readonly string[];
}

function rowsOf(text: string): Row[] {
  let section = "";
  return text.split("\n").flatMap((line) => {
    section = /^## (.*)/.exec(line)?.[1] ?? section;
    if (!line.startsWith("| ") || /^\| (---|contract \|)/.test(line)) return [];
    return [{ section, cells: line.slice(2, -2).split(" | ") }];
  });
}

/** What is wrong with what a row names as its tests. */
function faultsOf(cell: string): string[] {
  return cell.split("<br>").flatMap((item) => {
    // Of something that is not there yet, or whose test is not.
    if (/^open: \S/.test(item)) return [];
    const [, target = "", name = ""] = /^\[[^\]]+\]\(([^)\s]+\.test\.ts)\) › (.+)$/.exec(item) ?? [];
    if (target === "") return [`"${item}" is no [file](path) › test`];
    const file = new URL(target, page);
    if (!existsSync(file)) return [`${target} is not there`];
    return namesIn(readFileSync(file, "utf8")).has(name) ? [] : [`${target} has no test "${name}"`];
  });
}

/** The names of tests, groups and cases, as they stand in the source. */
function namesIn(source: string): ReadonlySet<string> {
  const names = source.matchAll(/(["'`])((?:\\.|(?!\1).)*)\1/g);
  return new Set([...names].map(([, , name = ""]) => name.replace(/\\(["'`])/g, "$1")));
}

describe("docs/reference/cmg-compatibility.md", () => {
  const text = readFileSync(page, "utf8");
  const rows = rowsOf(text);

  it("has a section for each part of the contract", () => {
    const sections = new Set(rows.map(({ section }) => section));
    expect([...sections]).toEqual([...text.matchAll(/^## (.*)/gm)].map(([, title]) => title));
    expect(rows.length).toBeGreaterThan(190);
  });

  it("says in each row what is answered here, and of a difference why", () => {
    const bad = rows.filter(({ cells }) => cells.length !== COLUMNS || cells[0] === "" || cells[1] === "");
    expect(bad).toEqual([]);
  });

  it("names files and tests that are there", () => {
    expect(rows.flatMap(({ cells }) => faultsOf(cells.at(-1) ?? ""))).toEqual([]);
  });

  it("would be found out: a file, a test or a form that is none", () => {
    for (const cell of [
      "",
      "open: ",
      "nowhere",
      "[models](../../packages/http-server/test/no-such.test.ts) › greets",
      "[service](../../packages/http-server/test/service.test.ts) › greets nobody",
      "[service](../../packages/http-server/test/service.test.ts)",
      "[service](../../packages/http-server/test/service.test.ts) › greets<br>nothing",
    ]) {
      expect(faultsOf(cell)).toHaveLength(1);
    }
    expect(faultsOf("[service](../../packages/http-server/test/service.test.ts) › greets")).toEqual([]);
  });
});
