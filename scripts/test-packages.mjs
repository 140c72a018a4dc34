// The packages as their users get them: packed, checked by `publint --strict` and `attw`, installed into a fresh project
// outside this repository, compiled there without a cast, and run on each Node that we promise. `npm run test:packages`
// takes the majors to run on: `-- 20 22 24`; without any, the Node that runs this.
import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const packages = ["core", "adapters-storage", "adapters-docker", "adapters-mlflow", "http-server"];
/** What may come with a package of ours that asks for no backend. A new one is a decision, so it is written here. */
const CORE_TREE = ["@modelgate/core", "eventemitter3", "ky", "p-queue", "p-timeout", "undici"];
/** The newest of each line that the registry has for every platform. */
const NODES = { 20: "20.20.2", 22: "22.23.3", 24: "24.21.0" };
const majors = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "modelgate-packages-"));
let passed = 0;
let failed = 0;

function check(name, work) {
  const startedMs = performance.now();
  try {
    work();
    passed += 1;
    console.log(`ok   ${name} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.error(
      `FAIL ${name}\n${error.stdout ?? ""}${error.stderr ?? ""}${error.stdout === undefined ? error.stack : ""}`,
    );
  }
}

function run(command, args, cwd, env = {}) {
  return execFileSync(command, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
    timeout: 300_000,
  });
}

function tool(name, file) {
  return join(root, "node_modules", name, file);
}

function install(cwd, ...specs) {
  run("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error", ...specs], cwd);
}

function project(name, manifest = {}) {
  const cwd = join(folder, name);
  mkdirSync(cwd);
  writeFileSync(
    join(cwd, "package.json"),
    JSON.stringify({ name, private: true, type: "module", ...manifest }),
  );
  return cwd;
}

/** Every package that is installed, at any depth. */
function installed(modules) {
  if (!existsSync(modules)) return [];
  return readdirSync(modules).flatMap((entry) => {
    if (entry.startsWith(".")) return [];
    if (entry.startsWith("@"))
      return readdirSync(join(modules, entry)).flatMap((name) => [
        `${entry}/${name}`,
        ...installed(join(modules, entry, name, "node_modules")),
      ]);
    return [entry, ...installed(join(modules, entry, "node_modules"))];
  });
}

function expectTree(cwd, allowed) {
  const strangers = installed(join(cwd, "node_modules")).filter((name) => !allowed.includes(name));
  if (strangers.length > 0) throw new Error(`nobody asked for ${strangers.join(", ")}`);
}

/** The programs of each Node, by major; the running one when none was asked for. */
function nodes() {
  if (majors.length === 0) return [["this Node", process.execPath]];
  return majors.map((major) => {
    const name = `node-${process.platform}-${process.arch}`;
    const cwd = project(`node-${major}`);
    install(cwd, `${name}@${NODES[major]}`);
    return [`Node ${major}`, join(cwd, "node_modules", name, "bin", "node")];
  });
}

try {
  run(
    process.execPath,
    [join(root, "node_modules/turbo/bin/turbo"), "run", "build", "--output-logs=errors-only"],
    root,
    {
      TURBO_TELEMETRY_DISABLED: "1",
    },
  );
  const tarballs = new Map();
  for (const name of packages) {
    const cwd = join(root, "packages", name);
    check(`${name}: packs`, () => {
      const [{ filename }] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder], cwd));
      tarballs.set(name, join(folder, filename));
    });
    check(`${name}: publint --strict`, () =>
      run(process.execPath, [tool("publint", "src/cli.js"), "--strict", tarballs.get(name)], cwd),
    );
    check(`${name}: attw`, () => {
      run(
        process.execPath,
        [
          tool("@arethetypeswrong/cli", "dist/index.js"),
          tarballs.get(name),
          "--profile",
          "esm-only",
          "--no-emoji",
        ],
        cwd,
      );
    });
  }

  check("core alone brings no vendor", () => {
    const cwd = project("core-alone");
    install(cwd, tarballs.get("core"));
    expectTree(cwd, CORE_TREE);
  });
  check("adapters-storage brings no driver", () => {
    const cwd = project("storage-alone");
    install(cwd, tarballs.get("core"), tarballs.get("adapters-storage"));
    expectTree(cwd, [...CORE_TREE, "@modelgate/adapters-storage"]);
  });
  check("adapters-docker brings no client", () => {
    const cwd = project("docker-alone");
    install(cwd, tarballs.get("core"), tarballs.get("adapters-docker"));
    expectTree(cwd, [...CORE_TREE, "@modelgate/adapters-docker"]);
  });

  check("adapters-mlflow brings a reader of YAML", () => {
    const cwd = project("mlflow-alone");
    install(cwd, tarballs.get("core"), tarballs.get("adapters-mlflow"));
    expectTree(cwd, [...CORE_TREE, "@modelgate/adapters-mlflow", "yaml"]);
  });

  const cwd = project("consumer");
  cpSync(join(root, "scripts/consumer"), cwd, { recursive: true });
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  check("a fresh project installs them", () => {
    const types = ["typescript", "@types/node"].map((name) => `${name}@${devDependencies[name]}`);
    install(cwd, ...tarballs.values(), ...types);
  });
  for (const resolution of ["nodenext", "bundler"]) {
    check(`types, strict, ${resolution}`, () => {
      run(
        process.execPath,
        [join(cwd, "node_modules/typescript/bin/tsc"), "-p", `tsconfig.${resolution}.json`],
        cwd,
      );
    });
  }
  for (const [name, program] of nodes()) {
    check(`${name}: everything runs`, () => console.log(run(program, ["out/main.js"], cwd).trimEnd()));
    check(`${name}: a kit under node:test`, () => run(program, ["--test", "out/kit.test.js"], cwd));
    check(`${name}: the command`, () => {
      const { status, stdout } = spawnSync(program, [join(cwd, "node_modules/.bin/modelgate"), "--version"], {
        encoding: "utf8",
      });
      if (status !== 0 || !/^\d+\.\d+\.\d+\n$/.test(stdout)) throw new Error(`exit ${status}: ${stdout}`);
    });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
