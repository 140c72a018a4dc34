// Debian's registry of images, which lets nobody in without a password, at an address that an engine reaches.

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Daemon, runTool } from "./daemon.mjs";
import { inFolder } from "./folder.mjs";
import { choosePort } from "./ports.mjs";
import { asService, onFreePort } from "./service.mjs";

const username = "modelgate";

/**
 * `directory` is made and kept when it is given; with the images that are found there it goes on. `seed` is a folder of
 * another registry's images, which a new one begins with.
 */
export async function startRegistry({ address = "127.0.0.1", port, directory, seed } = {}) {
  return await inFolder({ name: "registry", directory }, (folder, release) =>
    startIn(folder, { address, port, seed, release }),
  );
}

async function startIn(folder, { address, port, seed, release }) {
  const data = join(folder, "registry");
  if (seed !== undefined && !existsSync(data)) await runTool("cp", ["-a", seed, data], { cwd: folder });
  mkdirSync(data, { recursive: true });
  const password = await prepare(folder);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

  const startOn = async (chosen) => {
    const endpoint = `http://${address}:${chosen}`;
    const file = join(folder, "registry.json");
    writeFileSync(file, JSON.stringify(configuration({ folder, data, address, port: chosen }), undefined, 2));
    const log = join(folder, "registry.log");
    const args = ["serve", file];
    const daemon = new Daemon({ name: "registry", command: "docker-registry", args, cwd: folder, log });
    const isReady = async () => {
      const signal = AbortSignal.timeout(2000);
      return (await fetch(`${endpoint}/v2/`, { headers: { authorization }, signal })).ok;
    };
    const start = async () => {
      if (!daemon.isRunning) await daemon.start(isReady);
    };
    await start();
    return { daemon, start, port: chosen, endpoint };
  };
  const { daemon, start, port: bound, endpoint } = await onFreePort(port, choosePort, startOn);

  return asService({
    name: "registry",
    env: {
      DOCKER_REGISTRY: `${address}:${bound}`,
      DOCKER_REGISTRY_USER: username,
      DOCKER_REGISTRY_PASSWORD: password,
    },
    details: {
      start,
      endpoint,
      host: `${address}:${bound}`,
      port: bound,
      username,
      password,
      directory: folder,
      data,
    },
    daemons: [daemon],
    start,
    stop: () => daemon.stop("SIGTERM"),
    close: () => daemon.kill(),
    release,
  });
}

/** Makes the one user unless there is one, and resolves to its password. */
async function prepare(folder) {
  const file = join(folder, "password");
  if (existsSync(file)) return readFileSync(file, "utf8");
  const password = randomBytes(12).toString("hex");
  // The registry takes bcrypt and nothing else; perl is on every Debian, the usual tool for it is not.
  const salt = `$2y$05$${randomBytes(11).toString("hex")}`;
  const hash = await runTool("perl", ["-e", "print crypt($ARGV[0], $ARGV[1])", password, salt], {
    cwd: folder,
  });
  writeFileSync(join(folder, "htpasswd"), `${username}:${hash}\n`);
  writeFileSync(file, password, { mode: 0o600 });
  return password;
}

function configuration({ folder, data, address, port }) {
  return {
    version: 0.1,
    log: { level: "warn", accesslog: { disabled: false } },
    storage: {
      filesystem: { rootdirectory: data },
      delete: { enabled: true },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http: { addr: `${address}:${port}` },
    auth: { htpasswd: { realm: "modelgate", path: join(folder, "htpasswd") } },
  };
}
