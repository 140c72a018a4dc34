// Where a program is. Debian keeps those of PostgreSQL out of everybody's PATH, and /usr/sbin out of a user's.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const always = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"];

export function findProgram(name) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...always];
  return folders.map((folder) => join(folder || ".", name)).find((path) => existsSync(path));
}
