// Which services the chosen tests may want: those whose variables are named in a test file or in what it imports from
// beside it. So `npm test -- rank` waits for no server.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { usualServices } from "./launcher.mjs";

const wordOf = {
  pg: "PG",
  pg18: "PG18",
  pgbouncer: "PGBOUNCER",
  redis: "REDIS",
  valkey: "VALKEY",
  rabbitmq: "AMQP",
  rabbitmq4: "AMQP4",
  s3: "S3",
  minio: "MINIO",
  docker: "DOCKER",
  mlflow: "MLFLOW",
  prometheus: "PROM",
  "python-client": "CMG_CLIENT",
};
/** Variables that others' clients read, and of which a test may speak without a server. */
const ofClients =
  /\b(?:DOCKER_(?:HOST|TLS_VERIFY|CERT_PATH|CONFIG|CONTEXT|API_VERSION)|MLFLOW_(?:TRACKING|S3|ENABLE)_[A-Z_]+)\b/g;

/** `filters` are arguments of vitest; without any, or when it cannot list what they choose, all may be wanted. */
export function servicesFor(filters, { root, buildMinio, more }) {
  const usual = usualServices({ buildMinio, more });
  const files = filters.length === 0 ? undefined : chosenFiles(filters, root);
  if (files === undefined) return usual;
  const texts = textsOf(files);
  return usual.filter((name) => {
    const variable = new RegExp(`\\b${wordOf[name]}_[A-Z]`);
    return texts.some((text) => variable.test(text));
  });
}

function chosenFiles(filters, root) {
  const folder = mkdtempSync(join(tmpdir(), "modelgate-list-"));
  const list = join(folder, "files.json");
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  try {
    const args = [vitest, "list", "--filesOnly", `--json=${list}`, ...filters];
    spawnSync(process.execPath, args, { cwd: root, stdio: "ignore" });
    return JSON.parse(readFileSync(list, "utf8")).map(({ file }) => file);
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What stands in `files` and in all that they import by a relative path. */
function textsOf(files) {
  const seen = new Set(files);
  const texts = [];
  for (const file of seen) {
    // What looks like an import may be a text for another program.
    if (!existsSync(file)) continue;
    const text = readFileSync(file, "utf8").replaceAll(ofClients, "");
    texts.push(text);
    for (const [, path] of text.matchAll(/(?:from|import\()\s*"(\.{1,2}\/[^"]+\.m?[jt]s)"/g)) {
      const full = resolve(dirname(file), path);
      // Sources of a package take no address of a service from the environment of its tests.
      if (!full.includes("/src/")) seen.add(full);
    }
  }
  return texts;
}
