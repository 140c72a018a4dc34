import { readFileSync } from "node:fs";
import { cmsProtocol } from "@modelgate/core";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../src/command/command-table.ts";
import { EXIT } from "../../src/command/exit-codes.ts";
import { commandHelp } from "../../src/command/help.ts";
import { EXPECTED_TYPES } from "../../src/command/submit/content-types.ts";

const page = readFileSync(new URL("../../../../docs/reference/command.md", import.meta.url), "utf8");

describe("docs/reference/command.md", () => {
  it("has a row and a chapter for each command, and no other", () => {
    const names = COMMANDS.map(({ name }) => name);
    expect([...page.matchAll(/^\| `modelgate (\w+)` \|/gm)].map(([, name]) => name)).toEqual(names);
    expect([...page.matchAll(/^## modelgate (\w+)$/gm)].map(([, name]) => name)).toEqual(names);
  });

  it.each(COMMANDS)("has the options of $name, and no other", ({ name, options }) => {
    const chapter = page.split(`## modelgate ${name}\n`)[1]?.split("\n## ")[0] ?? "";
    const rows = chapter.split("\n").filter((line) => line.startsWith("| `--"));
    const told = options.map(({ name: option, value, text }) => {
      return `| \`--${option}${value === undefined ? "" : ` ${value}`}\` | ${text} |`;
    });
    expect(rows).toEqual(told);
  });

  it("has every exit code, and no other", () => {
    const codes = [...page.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
    expect(codes).toEqual(Object.values(EXIT));
  });
});

describe("the help text of a command", () => {
  it.each(COMMANDS)("of $name has two or three examples that it would take", (spec) => {
    expect(spec.examples.length).toBeGreaterThanOrEqual(2);
    for (const [call] of spec.examples) {
      expect(commandHelp(spec)).toContain(call);
      expect(call).toContain(`modelgate ${spec.name}`);
    }
  });

  it.each(COMMANDS)("of $name keeps to the width of a wide terminal", (spec) => {
    for (const line of commandHelp(spec).split("\n")) expect(line.length, line).toBeLessThanOrEqual(132);
  });
});

describe("the media type of a file", () => {
  it("is what each task expects", () => {
    const expected = [...cmsProtocol().operations].flatMap(([name, { contentType }]) =>
      contentType === undefined ? [] : [[name, contentType]],
    );
    expect(EXPECTED_TYPES).toEqual(Object.fromEntries(expected));
  });
});
