import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createContext } from "../../src/context.ts";
import type { OpenApiDocument } from "../../src/openapi/document.ts";
import { templateOf } from "../../src/openapi/document.ts";
import { createRoutes } from "../../src/routes/index.ts";
import { handMadeGateway } from "../support/hand-made-gateway.ts";
import { HOSTS } from "../support/hosts.ts";
import { call } from "../support/http-client.ts";
import { type OpenGateway, openGateway } from "./gateway.ts";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

describe("the document", () => {
  let gateway: OpenGateway;
  let document: OpenApiDocument;

  beforeAll(async () => {
    gateway = await openGateway();
    document = (await call(gateway.url, "/openapi.json")).json;
  });

  afterAll(() => gateway.close());

  it("has every route of the gateway, and no others", () => {
    const metrics = { render: () => {}, observe: () => {} } as never;
    const routes = createRoutes(createContext(handMadeGateway(), { metrics }));
    const served = routes.flatMap(({ path, methods }) =>
      Object.keys(methods).flatMap((method) =>
        (method === "*" ? METHODS : [method]).map((each) => `${each} ${templateOf(path)}`),
      ),
    );
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual(served.sort());
  });

  it("names nothing that it does not have, and has nothing that it does not name", () => {
    const text = JSON.stringify(document);
    const named = new Set(
      [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name),
    );
    expect([...named].sort()).toEqual(Object.keys(document.components.schemas).sort());
    expect(text).not.toMatch(/"\$(defs|schema|id)"/);
    const ids = [...text.matchAll(/"operationId":"(\w+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("declares every name in a path as a parameter", () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      for (const operation of Object.values(methods)) {
        const parameters = (operation["parameters"] ?? []) as {
          in: string;
          name: string;
          required?: boolean;
        }[];
        const ofPath = parameters.filter((each) => each.in === "path");
        expect(ofPath.map(({ name }) => name)).toEqual(names);
        expect(ofPath.every(({ required }) => required === true)).toBe(true);
      }
    }
  });

  it("has the tasks that can be submitted, and every status that is not the server's", () => {
    const submit = document.paths["/models/{model}/tasks/{task}"]?.["post"];
    expect(JSON.stringify(submit)).toContain('"train_supervised"');
    for (const methods of Object.values(document.paths)) {
      for (const { responses } of Object.values(methods)) {
        expect(Object.keys(responses as object).length).toBeGreaterThan(0);
      }
    }
  });

  it("has no metrics where there are none", async () => {
    for (const { open } of HOSTS) {
      const host = await open(handMadeGateway());
      expect((await call(host.url, "/openapi.json")).json.paths["/metrics"]).toBeUndefined();
      expect((await call(host.url, "/docs")).text).not.toContain("getMetrics");
      await host.close();
    }
  });

  it("says where it is served, and asks for no key that is not wanted", async () => {
    for (const { open } of HOSTS) {
      const host = await open(handMadeGateway(), { basePath: "/gateway", openConfigurations: true });
      const below = (await call(host.url, "/gateway/openapi.json")).json;
      expect(below.servers).toEqual([{ url: "/gateway" }]);
      expect(below.paths["/admin/on-demand"].get.security).toBeUndefined();
      expect((await call(host.url, "/gateway/docs/")).text).toContain('href="/gateway/openapi.json"');
      await host.close();
    }
    expect(document).toMatchObject({ openapi: "3.1.0", servers: [{ url: "/" }] });
    const admin = document.paths["/admin/on-demand"]?.["get"];
    expect(admin?.["security"]).toEqual([{ adminKey: [] }, { adminPassword: [] }]);
  });
});

describe("the reference page", () => {
  it("needs nothing from anywhere, and may run nothing", async () => {
    const gateway = await openGateway();
    const { status, headers, text } = await call(gateway.url, "/docs");
    const document = (await call(gateway.url, "/openapi.json")).text;
    await gateway.close();
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/=]+'; /);
    expect(text).not.toMatch(/<script|<link|<img|<iframe|\ssrc=|\sstyle=|\son\w+=|url\(|@import/i);
    expect(
      [...text.matchAll(/href="([^"]*)"/g)].every(([, to = ""]) => /^(#\w+|\/openapi\.json)$/.test(to)),
    ).toBe(true);
    for (const [, id = ""] of document.matchAll(/"operationId":"(\w+)"/g))
      expect(text).toContain(`id="${id}"`);
    expect(text).not.toMatch(/undefined|\[object/);
  });
});
