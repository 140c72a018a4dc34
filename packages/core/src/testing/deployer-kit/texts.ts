import assert from "node:assert/strict";
import type { ServerSpec } from "../../contracts/deployer.ts";
import { GatewayError } from "../../errors.ts";
import { nameOf, rejectionOf } from "../checks/rejections.ts";
import { settles } from "../checks/waiting.ts";
import { type DeployerFixture, type DeployerTest, identityOf, list, run, specCalls } from "./fixture.ts";

/** Texts that a shell, a template or a list of words takes for something else. */
const ODD_TEXTS: readonly string[] = [
  "",
  " ",
  " a  b ",
  "$HOME",
  "$\u007bHOME}",
  "$(echo no)",
  "`echo no`",
  "a; echo no",
  "a && echo no | cat > /no",
  "'single'",
  '"double"',
  "back\\slash\\n",
  "a\nb",
  "\n",
  "ends with a newline\n",
  "\r\n\t\u0001\u007f",
  "*",
  "~",
  "!!",
  "#no comment",
  "%PATH% %s %d",
  "{{.ID}} $\u007b{ x }} <%= y %>",
  "-v",
  "--no-such-option=1",
  "a=b=c",
  "a,b",
  '["json"]',
  "../../etc/passwd",
  "\u00e9 e\u0301 \u00df \u4e16\u754c \u{1f600} \u202e\u2028\ufeff",
  "x".repeat(10_240),
];

/** Specs that no engine could run, and the field that the refusal has to name. */
const REFUSED: readonly (readonly [field: RegExp, parts: Partial<ServerSpec>])[] = [
  [/^image/, { image: "" }],
  [/^image/, { image: "a\u0000b" }],
  [/^command/, { command: ["a", "b\u0000c"] }],
  [/^command/, { command: ["a", "half of a pair: \ud83d"] }],
  [/^env/, { env: { A: "a\u0000b" } }],
  [/^env/, { env: { A: "half of a pair: \udc00" } }],
  [/^env/, { env: { "A\u0000B": "a" } }],
  [/^env/, { env: { "A=B": "a" } }],
  [/^env/, { env: { "": "a" } }],
  [/^port/, { port: 0 }],
  [/^port/, { port: 65_536 }],
  [/^port/, { port: 80.5 }],
  [/^port/, { port: Number.NaN }],
  [/^labels/, { labels: { a: "a\u0000b" } }],
];

function deaf({ received }: DeployerFixture): string | undefined {
  return received === undefined ? "the fixture cannot tell what a process was started with" : undefined;
}

/** Texts: byte for byte to the process, or refused. */
export const texts: readonly DeployerTest[] = [
  {
    name: "arguments reach the process byte for byte",
    leaveOut: deaf,
    async run(fixture) {
      const server = await run(fixture, "m", fixture.spec({ command: [...fixture.command, ...ODD_TEXTS] }));
      const received = await settles("received", receivedBy(fixture, server));
      const last = received.arguments.slice(-ODD_TEXTS.length);
      for (const [at, text] of ODD_TEXTS.entries()) assert.equal(last[at], text, `argument ${at}`);
    },
  },
  {
    name: "values of variables reach the process byte for byte",
    leaveOut: deaf,
    async run(fixture) {
      const added = Object.fromEntries(ODD_TEXTS.map((text, at) => [`ODD_${at}`, text]));
      const server = await run(fixture, "m", fixture.spec({ env: { ...fixture.spec().env, ...added } }));
      const received = await settles("received", receivedBy(fixture, server));
      for (const [name, text] of Object.entries(added)) assert.equal(received.env[name], text, name);
    },
  },
  {
    name: "a spec that no engine could run is refused with INVALID_REQUEST, which names the field",
    async run(fixture) {
      const { deployer, spec } = fixture;
      const identity = identityOf(fixture, "m");
      for (const [field, parts] of REFUSED) {
        for (const call of specCalls(deployer)) {
          const what = JSON.stringify(parts);
          const error = await rejectionOf(what, () => call(spec(parts), identity));
          assert.ok(GatewayError.is(error, "INVALID_REQUEST"), `${what} rejected with ${nameOf(error)}`);
          assert.match(String(error.details["field"]), field, `details.field of ${what}`);
        }
      }
      assert.deepEqual(await list(fixture), [], "what was made all the same");
    },
  },
  {
    name: "a model's name that cannot be kept is refused with INVALID_REQUEST",
    async run(fixture) {
      const { deployer, spec } = fixture;
      for (const model of ["", "a\u0000b", "half of a pair: \ud83d"]) {
        const identity = identityOf(fixture, "m", { model });
        const error = await rejectionOf("create", () => deployer.create(spec(), identity));
        assert.ok(GatewayError.is(error, "INVALID_REQUEST"), `create rejected with ${nameOf(error)}`);
        assert.match(String(error.details["field"]), /model/, "details.field");
      }
      assert.deepEqual(await list(fixture), []);
    },
  },
];

async function receivedBy(
  { received }: DeployerFixture,
  server: Parameters<NonNullable<DeployerFixture["received"]>>[0],
): ReturnType<NonNullable<DeployerFixture["received"]>> {
  assert.ok(received !== undefined);
  return await received(server);
}
