import { describe, expect, it } from "vitest";
import { requestTarget, withQueryParameter } from "../../src/protocols/request-target.ts";

describe("requestTarget", () => {
  it.each([
    ["", "/p"],
    ["a=1&a=2", "/p?a=1&a=2"],
    ["a=%zz&b=*'()\"<>{}|^`", "/p?a=%zz&b=*'()\"<>{}|^`"],
    ["a=b c", "/p?a=b%20c"],
    ["a=\r\nHost: x", "/p?a=%0D%0AHost:%20x"],
    ["a=#x", "/p?a=%23x"],
    ["a=\u00e9\u{1f600}\ud800", "/p?a=%C3%A9%F0%9F%98%80%EF%BF%BD"],
  ])("writes the query %j", (query, target) => {
    expect(requestTarget("/p", query)).toBe(target);
  });
});

describe("withQueryParameter", () => {
  it.each([
    ["", "id=x%20y"],
    ["id=1", "id=x%20y"],
    ["a=1&id=1&b=2&id", "a=1&b=2&id=x%20y"],
    ["%69d=1&xid=1&id2=&ID=3&%zz=1", "xid=1&id2=&ID=3&%zz=1&id=x%20y"],
  ])("takes the place of what %j says", (query, expected) => {
    expect(withQueryParameter(query, "id", "x y")).toBe(expected);
  });
});
