import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defaultServerConditions } from "vite";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";

// Workspace packages resolve to their TypeScript sources, so that tests need no build.
const conditions = ["@modelgate/source", ...defaultServerConditions];
const workerBuild = fileURLToPath(new URL("packages/adapters-storage/test/build-worker.ts", import.meta.url));

function projectsIn(folder: string): TestProjectInlineConfiguration[] {
  const base = new URL(`${folder}/`, import.meta.url);
  if (!existsSync(base)) return [];
  return readdirSync(base)
    .filter((name) => existsSync(new URL(`${name}/package.json`, base)))
    .map((name) => ({
      root: fileURLToPath(new URL(name, base)),
      resolve: { conditions },
      ssr: { resolve: { conditions } },
      test: {
        name: folder === "packages" ? name : `${folder}/${name}`,
        include: ["test/**/*.test.ts"],
        // Whoever opens the SQLite store from source needs its worker; core never does.
        globalSetup: name === "core" ? [] : [workerBuild],
        // Far above what anything takes: a machine that does other work must turn nothing red. The first push of an image
        // compresses all of Node.
        testTimeout: 60_000,
        hookTimeout: 60_000,
      },
    }));
}

/** What holds for the repository as a whole: its documents. */
const repository: TestProjectInlineConfiguration = {
  root: fileURLToPath(new URL("test", import.meta.url)),
  test: { name: "repository", include: ["**/*.test.ts"], testTimeout: 120_000, hookTimeout: 120_000 },
};

export default defineConfig({
  test: { projects: [...projectsIn("packages"), ...projectsIn("examples"), repository] },
});
