import assert from "node:assert/strict";
import type { LogLine, ServerSpec } from "../../contracts/deployer.ts";
import { GatewayError } from "../../errors.ts";
import { rejectionOf } from "../checks/rejections.ts";
import {
  type DeployerFixture,
  type DeployerTest,
  identityOf,
  linesOf,
  list,
  make,
  run,
  specCalls,
  untilWritten,
} from "./fixture.ts";

const SECRETS = {
  API_KEY: "s3cr3t-$value*(with)[signs]",
  // A part of it is a secret too.
  LONGER_KEY: "s3cr3t-$value*(with)[signs]-and-more",
  CERTIFICATE: "-----BEGIN KEY-----\nfirst-line-of-it\nsecond-line-of-it\n-----END KEY-----\n",
  EMPTY: "",
} as const;

/** No piece of a secret may be seen. */
const PIECES: readonly string[] = [SECRETS.API_KEY, "-and-more", "first-line-of-it", "second-line-of-it"];

const LINES: readonly string[] = [
  `the key is ${SECRETS.API_KEY}.`,
  `twice: ${SECRETS.API_KEY}, ${SECRETS.API_KEY}`,
  `longer: ${SECRETS.LONGER_KEY}|`,
  ...SECRETS.CERTIFICATE.trimEnd().split("\n"),
  "no secret here",
];

/** Values of secret variables are seen by the process alone. */
export const secrets: readonly DeployerTest[] = [
  {
    name: "values of secret variables are masked in what a server wrote, and the rest is not",
    leaveOut: ({ deployer }) => (deployer.capabilities.logs ? undefined : "it claims no logs"),
    async run(fixture) {
      const written = LINES.map((text): LogLine => ({ stream: "stdout", text }));
      const { id } = await run(fixture, "m", withSecrets(fixture.writer(written, 0)));
      const lines = await untilWritten(fixture, id, LINES.length);
      assertHidden(lines, "what was written");
      const followed = await linesOf(fixture, id, { follow: true, tail: 1000 });
      assertHidden(followed, "what was followed");
      const other = await fixture.another?.();
      if (other !== undefined) {
        const { installation } = fixture;
        assertHidden(await linesOf({ deployer: other, installation }, id), "what another process reads");
      }
      const texts = lines.map(({ text }) => text);
      assert.ok(texts[0]?.startsWith("the key is ") && texts[0].endsWith("."), "what is around a secret");
      assert.equal(texts.at(-1), "no secret here");
    },
  },
  {
    name: "values of secret variables are neither listed nor told by create",
    async run(fixture) {
      const made = await make(fixture, "m", withSecrets(fixture.spec()));
      assertHidden([made, await list(fixture)], "what create and list resolve");
    },
  },
  {
    name: "values of secret variables are in no error",
    async run(fixture) {
      const { deployer, spec, missingImage, unstartable, installation } = fixture;
      const identity = identityOf(fixture, "m");
      const bad: ServerSpec[] = [
        spec({ image: missingImage }),
        spec({ port: 0 }),
        spec({ env: { "A=B": "a" } }),
      ];
      for (const each of bad.map(withSecrets)) {
        for (const call of specCalls(deployer)) {
          assertHiddenIn(await rejectionOf("the call", () => call(each, identity)));
        }
      }
      const broken = { ...SECRETS, BROKEN: `${SECRETS.API_KEY}\u0000` };
      const unkept = { ...spec({ env: broken }), secretEnv: Object.keys(broken) };
      assertHiddenIn(await rejectionOf("create", () => deployer.create(unkept, identity)));
      if (unstartable === undefined) return;
      const { id } = await make(fixture, "m", withSecrets(unstartable()));
      assertHiddenIn(await rejectionOf("start", () => deployer.start(id, { installation })));
    },
  },
  {
    name: "a process receives its secrets as they are",
    leaveOut: ({ received }: DeployerFixture) =>
      received === undefined ? "the fixture cannot tell what a process was started with" : undefined,
    async run(fixture) {
      const server = await run(fixture, "m", withSecrets(fixture.spec()));
      const received = await fixture.received?.(server);
      for (const [name, value] of Object.entries(SECRETS)) assert.equal(received?.env[name], value, name);
    },
  },
];

function withSecrets(spec: ServerSpec): ServerSpec {
  return { ...spec, env: { ...spec.env, ...SECRETS }, secretEnv: [...Object.keys(SECRETS), "NOT_THERE"] };
}

function assertHiddenIn(error: unknown): void {
  assert.ok(error instanceof Error);
  const details = GatewayError.is(error) ? error.details : {};
  assertHidden([error.message, details], "an error");
}

function assertHidden(value: unknown, what: string): void {
  const text = JSON.stringify(value);
  const seen = PIECES.filter((piece) => text.includes(piece));
  assert.equal(seen.length, 0, `${what} must not show secrets; it shows ${seen.length} of them`);
}
