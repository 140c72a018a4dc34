import { describe, expect, it } from "vitest";
import { open } from "./wire.ts";

const rule = (path: string) => open().pass?.rule("POST", path);

describe("a path that only a task may take", () => {
  it.each([
    ["/train_supervised", "train_supervised"],
    ["/train_unsupervised", "train_unsupervised"],
    ["/train_unsupervised_with_hf_hub_dataset", "train_unsupervised_with_hf_hub_dataset"],
    ["/train_metacat", "train_metacat"],
    ["/evaluate", "evaluate"],
    ["/train_supervised/", "train_supervised"],
    ["//train_supervised", "train_supervised"],
    ["/./train_supervised", "train_supervised"],
    ["/Train_Supervised", "train_supervised"],
    ["/EVALUATE", "evaluate"],
    ["/%74rain_supervised", "train_supervised"],
    ["/train%5fsupervised", "train_supervised"],
    ["/%65%76%61%6C%75%61%74%65", "evaluate"],
    ["/%2574rain_supervised", "train_supervised"],
    ["/%252574rain_supervised", "train_supervised"],
    ["/docs/../train_supervised", "train_supervised"],
    ["/docs/%2e%2e/train_supervised", "train_supervised"],
    ["/docs/.%2E/evaluate", "evaluate"],
    ["/a/b/..//../evaluate", "evaluate"],
    ["/train_supervised/../info", "train_supervised"],
    ["/train_supervised;x=1", "train_supervised"],
    ["/evaluate%20", "evaluate"],
    ["/%EF%BD%85valuate", "evaluate"],
    ["/evaluate/x", "evaluate"],
  ])("%s names %s", (path, operation) => {
    expect(rule(path)).toEqual({ kind: "task", operation });
  });

  it("is one whatever the method", () => {
    for (const method of ["GET", "PUT", "OPTIONS", "X"]) {
      expect(open().pass?.rule(method, "/evaluate").kind).toBe("task");
    }
  });
});

describe("a path that nobody may take", () => {
  it.each([
    "/cancel_training",
    "/%63ancel_training",
    "/x/../CANCEL_training/",
    "/train_something_new",
    "/train_supervised.json",
    "",
    "info",
    "*",
    "http://other/evaluate",
    "/%",
    "/%4",
    "/%zz",
    "/%ff",
    "/%c0%ae%c0%ae/x",
    "/a%00b",
    "/a%2500b",
    "/a%0d%0ab",
    "/a\\b",
    "/a%5cb",
    "/..%5ctrain_supervised",
    "/a b",
    "/é",
    "/a?b",
    "/a#b",
    "/..",
    "/../other/info",
    "/%2e%2e/other",
    "/a/../../other",
    "/a//../../other",
    "/a/..;/..;/other",
    "/%252e%252e/other",
    "/a%2f..%2ftrain_supervised",
    "/%2ftrain_supervised",
    "/docs%2f..%2finfo",
    "/a%252f..%252finfo",
    "/%2574rain_supervised%25",
    `/%${"25".repeat(20)}41`,
  ])("%s", (path) => {
    const told = rule(path);
    expect(told).toMatchObject({ kind: "refuse", reason: expect.stringMatching(/./) });
    expect(JSON.stringify(told)).not.toContain("other");
  });
});

describe("a path that goes straight to the server", () => {
  it.each([
    "/",
    "/process",
    "/stream/ws",
    "/openai/v1/chat/completions",
    "/openai/v1/models/org%2Fname",
    "/openai/v1/models/a.b-c_d~e",
    "/ollama/api/tags",
    "/ollama/",
    "/train_eval_info",
    "/train_eval_metrics",
    "/docs/train_supervised",
    "/evaluated",
    "/evaluation",
    "/trained",
    "/a/./b",
    "/a/../b",
    "/a//b",
    "/100%25",
    "/caf%C3%A9",
    "/a%20b",
    "/x;y=1",
  ])("%s", (path) => {
    expect(rule(path)).toEqual({ kind: "pass" });
  });
});
