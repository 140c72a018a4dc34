import { defineConfig, type Options } from "tsup";

/**
 * The one build recipe. `entry` maps each output path below `dist`, without its ending, to its source.
 *
 * Entries share chunks (`splitting`), so that a class exported by two subpaths stays one class and
 * `instanceof` holds across them.
 */
export function recipe(
  entry: Record<string, string>,
  overrides: Options = {},
): ReturnType<typeof defineConfig> {
  return defineConfig({
    entry,
    format: "esm",
    platform: "node",
    target: "node20",
    splitting: true,
    sourcemap: true,
    clean: true,
    dts: true,
    silent: true,
    // tsup strips `node:` by default, and `node:sqlite` exists only under its full name.
    removeNodeProtocol: false,
    ...overrides,
  });
}
