import { describe, expect, it } from "vitest";
import { parseStaticServers, type StaticServer } from "../../src/discovery/static-servers.ts";
import { GatewayError } from "../../src/errors.ts";

function parse(...servers: StaticServer[]): ReturnType<typeof parseStaticServers> {
  return parseStaticServers(servers, (name) => name === "cms" || name === "other");
}

describe("a static server", () => {
  it.each([
    ["http://medcat:8000", "medcat:8000", "http://medcat:8000"],
    ["HTTP://MedCAT:8000///", "medcat:8000", "http://medcat:8000"],
    ["http://medcat", "medcat:80", "http://medcat"],
    ["http://medcat:80/", "medcat:80", "http://medcat"],
    ["https://medcat/base/", "medcat:443/base", "https://medcat/base"],
    ["http://[::1]:8000", "[::1]:8000", "http://[::1]:8000"],
    ["http://user:p%40ss@medcat:8000/", "medcat:8000", "http://user:p%40ss@medcat:8000"],
  ])("at %s has the id %s", (url, id, normalised) => {
    expect(parse({ url, name: "m" })).toEqual([
      { id, url: normalised, models: ["m"], protocol: "cms", limit: undefined },
    ]);
  });

  it("has what was given", () => {
    expect(parse({ url: "http://a", models: ["x", "y"], limit: 4, protocol: "other", id: "mine" })).toEqual([
      { id: "mine", url: "http://a", models: ["x", "y"], protocol: "other", limit: 4 },
    ]);
  });

  it.each<[string, string, object]>([
    ["no address", "servers[1].url", { name: "m" }],
    ["an address that is none", "servers[1].url", { name: "m", url: "medcat" }],
    ["another scheme", "servers[1].url", { name: "m", url: "ftp://secret:word@b" }],
    ["a query", "servers[1].url", { name: "m", url: "http://secret:word@b/?a=1" }],
    ["a fragment", "servers[1].url", { name: "m", url: "http://secret:word@b/#a" }],
    ["credentials that cannot be read", "servers[1].url", { name: "m", url: "http://secret:%zz@b" }],
    ["a password alone", "servers[1].url", { name: "m", url: "http://:secret@b" }],
    ["a colon in the user's name", "servers[1].url", { name: "m", url: "http://secret%3Ax:y@b" }],
    ["the address of another", "servers[1].url", { name: "m", url: "https://secret:word@A:80/" }],
    ["the address of another under its own id", "servers[1].url", { name: "m", url: "http://a", id: "b" }],
    ["the id of another", "servers[1].id", { name: "m", url: "http://b", id: "a:80" }],
    ["an empty id", "servers[1].id", { name: "m", url: "http://b", id: "" }],
    ["no model", "servers[1].models", { url: "http://b" }],
    ["an empty list of models", "servers[1].models", { url: "http://b", models: [] }],
    ["an empty model", "servers[1].models[1]", { url: "http://b", models: ["m", ""] }],
    ["a model twice", "servers[1].models", { url: "http://b", models: ["m", "m"] }],
    ["a name and models", "servers[1].models", { url: "http://b", name: "m", models: ["m"] }],
    ["an empty name", "servers[1].name", { url: "http://b", name: "" }],
    ["no slots", "servers[1].limit", { url: "http://b", name: "m", limit: 0 }],
    ["half a slot", "servers[1].limit", { url: "http://b", name: "m", limit: 1.5 }],
    ["an unknown protocol", "servers[1].protocol", { url: "http://b", name: "m", protocol: "gopher" }],
    ["an unknown property", "servers[1].modles", { url: "http://b", name: "m", modles: [] }],
  ])("with %s is refused by name, without a value", (_name, field, server) => {
    const error: unknown = (() => {
      try {
        return parse({ url: "http://a", name: "m" }, server as StaticServer);
      } catch (thrown) {
        return thrown;
      }
    })();
    if (!GatewayError.is(error, "INVALID_OPTIONS")) throw new Error("it was taken");
    expect(error.details).toEqual({ field });
    expect(JSON.stringify([error.message, error.details])).not.toMatch(/secret|:word|@/);
    expect(error.cause).toBeUndefined();
  });
});
