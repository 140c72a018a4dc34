import { existsSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { type Page, readPages, root } from "./pages.ts";

const pages = readPages();
const byPath = new Map(pages.map((page) => [page.path, page]));

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf({ prose }: Page): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of prose.matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = text.replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "").replaceAll(" ", "-");
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count += 1) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

function linksOf({ prose }: Page): string[] {
  const text = prose.replaceAll(/`[^`\n]*`/g, "");
  const inline = [...text.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)];
  const defined = [...text.matchAll(/^\[[^\]]+\]:\s*(\S+)/gm)];
  const bare = [...text.matchAll(/<(https?:[^>\s]+)>/g)];
  return [...inline, ...defined, ...bare].map(([, target = ""]) => target);
}

function faultOf(page: Page, target: string): string | undefined {
  if (/^[a-z]+:/i.test(target)) {
    if (!URL.canParse(target)) return "is no address";
    return /^https:/.test(target) || /^http:\/\/(127\.0\.0\.1|localhost)/.test(target)
      ? undefined
      : "is not https";
  }
  const [path = "", anchor] = target.split("#", 2);
  const full = path === "" ? join(root, page.path) : join(root, dirname(page.path), decodeURIComponent(path));
  if (!existsSync(full)) return "leads to no file";
  if (relative(root, full).startsWith("..")) return "leads out of the repository";
  if (anchor === undefined) return undefined;
  const other = byPath.get(relative(root, full));
  if (other === undefined) return statSync(full).isFile() ? undefined : "has an anchor on a folder";
  return anchorsOf(other).has(anchor) ? undefined : "names a heading that is not there";
}

describe("every link of every page", () => {
  it.each(pages.map((page) => [page.path, page] as const))("resolves in %s", (_path, page) => {
    const faults = linksOf(page).flatMap((target) => {
      const fault = faultOf(page, target);
      return fault === undefined ? [] : [`${target} ${fault}`];
    });
    expect(faults).toEqual([]);
  });

  it("is looked at: a link to nowhere is found", () => {
    const [page] = pages;
    if (page === undefined) throw new Error("no page");
    expect(faultOf(page, "docs/nowhere.md")).toBe("leads to no file");
    expect(faultOf(page, "CONTRIBUTING.md#nowhere")).toBe("names a heading that is not there");
    expect(pages.flatMap(linksOf).length).toBeGreaterThan(20);
  });
});

describe("every page of docs", () => {
  it("is reached by links from the README", () => {
    const seen = new Set<string>();
    const visit = (path: string): void => {
      const page = byPath.get(path);
      if (page === undefined || seen.has(path)) return;
      seen.add(path);
      for (const target of linksOf(page)) {
        if (/^[a-z]+:/i.test(target)) continue;
        const full = relative(root, join(root, dirname(path), target.split("#", 1)[0] ?? ""));
        visit(full);
        for (const below of byPath.keys()) if (dirname(below) === full && target.endsWith("/")) visit(below);
      }
    };
    visit("README.md");
    const missed = pages
      .map(({ path }) => path)
      .filter((path) => path.startsWith("docs/") && !seen.has(path));
    expect(missed).toEqual([]);
  });
});
