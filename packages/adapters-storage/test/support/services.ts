import { appendFileSync } from "node:fs";
import { relative } from "node:path";
import { expect } from "vitest";

/** Too dear for every run, so that their absence is no failure in CI either; by the option that brings each. */
const optIn = new Map([
  ["MINIO_ENDPOINT", "--build-minio"],
  ["AMQP4_URL", "--with rabbitmq4"],
]);

/**
 * The address of a real service, from the environment variable `name`. Without it the suite fails where `CI` is true; elsewhere
 * it is to be skipped, which the end of `npm test` repeats:
 *
 *     const url = requireService("PG_URL");
 *     describe.skipIf(url === undefined)("on a real server", …);
 */
export function requireService(name: string): string | undefined {
  const value = process.env[name];
  if (value !== undefined && value !== "") return value;
  const file = relative(process.cwd(), expect.getState().testPath ?? "");
  const command = optIn.has(name) ? `npm test -- ${optIn.get(name)}` : "npm test";
  const reason = `${name} is not set; \`${command}\` starts the server and sets it`;
  const isFailure = process.env["CI"] === "true" && !optIn.has(name);
  if (isFailure) throw new Error(reason);
  console.warn(`SKIPPED ${file}: ${reason}`);
  // Read by scripts/test.mjs: what is said while tests run has scrolled away at their end.
  const skips = process.env["MODELGATE_TEST_SKIPS"];
  if (skips !== undefined) appendFileSync(skips, `${JSON.stringify({ file, reason })}\n`);
  return undefined;
}
