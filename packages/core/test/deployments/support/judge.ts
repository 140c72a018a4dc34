import { expect } from "vitest";
import type { World } from "./world.ts";

/** Whatever happened: each server has its entry, each entry its server, and nobody is at work on them any more. */
export async function expectConsistent(world: World): Promise<void> {
  const entries = await world.entries();
  const servers = world.engine.servers.filter(({ identity }) => identity !== undefined);
  const generations = (list: readonly { readonly generation?: string | undefined }[]) =>
    list.map(({ generation }) => generation).sort();
  expect(entries.filter(({ phase }) => phase !== "ready" && phase !== "failed")).toEqual([]);
  expect(generations(servers.map(({ identity }) => ({ generation: identity?.generation })))).toEqual(
    generations(entries.filter(({ phase }) => phase === "ready")),
  );
  expect(world.violations).toEqual([]);
}
