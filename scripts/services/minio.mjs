// MinIO, a second real S3 server. It takes minutes to build, so it runs only where somebody asked for it. Its licence is
// the AGPL: it is run in tests, and nothing of it is shipped.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Daemon } from "./daemon.mjs";
import { inFolder } from "./folder.mjs";
import { choosePort } from "./ports.mjs";
import { findProgram } from "./programs.mjs";
import { answersSigned } from "./s3-probe.mjs";
import { asService, onFreePort } from "./service.mjs";

const moduleVersion = "v0.0.0-20260212201848-7aac2a2c5b7c";
const region = "us-east-1";

function builtBinary() {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(cache, "modelgate", `minio-${moduleVersion}`);
}

/** `{ binary }`, `{ reason }` why there is none, or neither when it can be built. */
export function findMinio({ build = false } = {}) {
  const named = process.env.MODELGATE_MINIO_BINARY;
  if (named) {
    return existsSync(named)
      ? { binary: named }
      : { reason: `MODELGATE_MINIO_BINARY is "${named}", where there is no file` };
  }
  if (existsSync(builtBinary())) return { binary: builtBinary() };
  if (!build) return { reason: "is not built; give --build-minio, or its binary in MODELGATE_MINIO_BINARY" };
  return findProgram("go") === undefined
    ? { reason: "is built with Go 1.24 or newer, which is not installed" }
    : {};
}

/** Some five minutes on two cores when Go's caches are empty. */
async function buildMinio(say) {
  const binary = builtBinary();
  const folder = `${binary}.${process.pid}`;
  mkdirSync(folder, { recursive: true });
  say(`building MinIO into ${binary}, which takes minutes`);
  const child = spawn(
    findProgram("go"),
    ["install", "-trimpath", "-ldflags", "-s -w", `github.com/minio/minio@${moduleVersion}`],
    {
      env: { ...process.env, CGO_ENABLED: "0", GOBIN: folder },
      stdio: ["ignore", 2, 2],
    },
  );
  const [code, signal] = await once(child, "exit");
  if (code !== 0) throw new Error(`go install of MinIO failed (${signal ?? code})`);
  renameSync(join(folder, "minio"), binary);
  return binary;
}

export async function startMinio({ build = false, directory, port, say = () => {} } = {}) {
  const found = findMinio({ build });
  if (found.reason !== undefined) throw new Error(`MinIO ${found.reason}`);
  const command = found.binary ?? (await buildMinio(say));
  return await inFolder({ name: "minio", directory }, (folder, release) =>
    startIn(folder, { command, port, release }),
  );
}

async function startIn(folder, { command, port, release }) {
  const keys = { accessKey: randomBytes(10).toString("hex"), secretKey: randomBytes(20).toString("hex") };

  const startOn = async (chosen) => {
    const address = `127.0.0.1:${chosen}`;
    const daemon = new Daemon({
      name: "minio",
      command,
      args: ["server", join(folder, "data"), "--address", address, "--quiet", "--anonymous"],
      cwd: folder,
      log: join(folder, "log"),
      env: {
        MINIO_ROOT_USER: keys.accessKey,
        MINIO_ROOT_PASSWORD: keys.secretKey,
        MINIO_UPDATE: "off",
        MINIO_BROWSER: "off",
      },
    });
    const isReady = () => answersSigned({ endpoint: `http://${address}`, ...keys, region });
    const start = () => daemon.start(isReady);
    await start();
    return { daemon, start, port: chosen };
  };
  const { daemon, start, port: bound } = await onFreePort(port, choosePort, startOn);

  const endpoint = `http://127.0.0.1:${bound}`;
  return asService({
    name: "minio",
    env: { MINIO_ENDPOINT: endpoint, MINIO_ACCESS_KEY: keys.accessKey, MINIO_SECRET_KEY: keys.secretKey },
    details: { endpoint, ...keys, region, port: bound, directory: folder },
    daemons: [daemon],
    start,
    stop: () => daemon.stop("SIGTERM"),
    close: () => daemon.kill(),
    release,
  });
}
