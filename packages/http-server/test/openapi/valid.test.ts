import { Validator } from "@seriousme/openapi-schema-validator";
import { expect, it } from "vitest";
import { handMadeGateway } from "../support/hand-made-gateway.ts";
import { HOSTS } from "../support/hosts.ts";
import { call } from "../support/http-client.ts";

it.each(HOSTS)("the document is valid OpenAPI 3.1 over $host", async ({ open }) => {
  const host = await open(handMadeGateway());
  const { json } = await call(host.url, "/openapi.json");
  await host.close();
  const validator = new Validator();
  expect(await validator.validate(structuredClone(json))).toEqual({ valid: true });
  expect(validator.version).toBe("3.1");
  const spoilt = structuredClone(json);
  spoilt.paths["/health"].get.responses["200"].content["application/json"] = [];
  expect((await new Validator().validate(spoilt)).valid).toBe(false);
});
