// Checks the types of everything as one program, since packages import each other's sources and each of them by itself
// would check these again; and, at the same time, that what libraries export says its types: `npm run typecheck`.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const tsc = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));

function check(project) {
  const child = spawn(process.execPath, [tsc, "-p", project], { cwd: root, stdio: "inherit" });
  return new Promise((resolve, reject) =>
    child.on("error", reject).on("close", (code) => resolve(code ?? 1)),
  );
}

const codes = await Promise.all(["tsconfig.json", "tsconfig.libraries.json"].map(check));
process.exitCode = Math.max(...codes);
