import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { keepPackages } from "../../../scripts/services/debian-archive.mjs";

const run = promisify(execFile);
export const root: string = fileURLToPath(new URL("../../../", import.meta.url));

/** The program of Docker Compose 2: one that is installed, or Debian's, which is unpacked and kept. */
export async function findCompose(): Promise<string | undefined> {
  const folders = [
    join(homedir(), ".docker/cli-plugins"),
    "/usr/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
  ];
  const plugin = folders.map((folder) => join(folder, "docker-compose")).find((path) => existsSync(path));
  if (plugin !== undefined) return plugin;
  try {
    const folder = await keepPackages({
      name: "docker-compose",
      suite: "trixie",
      packages: ["docker-compose"],
    });
    return join(folder, "usr/libexec/docker/cli-plugins/docker-compose");
  } catch (error) {
    if (process.env["CI"] === "true") throw error;
    console.warn(`SKIPPED what needs Docker Compose 2: it ${(error as Error).message}`);
    return undefined;
  }
}

/** Calls compose in the root of the repository, and resolves to what it printed. */
export async function compose(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { stdout } = await run(program, args, {
    cwd: root,
    // What the machine has set must not decide a test.
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", ...env },
    maxBuffer: 16 * 1024 * 1024,
  });
  return stdout;
}
