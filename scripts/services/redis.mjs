// A Redis, or a Valkey, of its own. By default it keeps nothing over a restart, as a cache is run; chaos runs choose how
// much it writes down.

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Daemon } from "./daemon.mjs";
import { keepPackages } from "./debian-archive.mjs";
import { inFolder } from "./folder.mjs";
import { choosePort } from "./ports.mjs";
import { findProgram } from "./programs.mjs";
import { answersPing } from "./resp-probe.mjs";
import { asService, onFreePort } from "./service.mjs";
import { makeCertificate } from "./tls.mjs";
import { chooseUser, giveTo } from "./user.mjs";

const persistences = {
  none: { appendonly: "no" },
  aof: { appendonly: "yes", appendfsync: "everysec" },
  "aof-always": { appendonly: "yes", appendfsync: "always" },
};

/**
 * `persistence` is "none", "aof" (written to disk every second) or "aof-always" (before each answer). `directory` is
 * made and kept when it is given; with the data that is found there the server goes on. `settings` are more lines of
 * redis.conf.
 */
export async function startRedis(options = {}) {
  const command = findProgram("redis-server");
  if (command === undefined) throw new Error("Redis is not installed: install the package redis-server");
  const user = chooseUser("redis", "nobody");
  return await startServer({ name: "redis", command, user, ...options });
}

/** Valkey 8 with the same options; brings it unless that was done before. */
export async function startValkey({ say, ...options } = {}) {
  // What was unpacked below somebody's home is closed to other users, so it runs as who we are.
  return await startServer({ name: "valkey", command: await keepValkey({ say }), ...options });
}

/** Resolves to its program. Its libraries are those of Debian's Redis. */
export async function keepValkey({ say } = {}) {
  const packages = ["valkey-server", "valkey-tools"];
  const folder = await keepPackages({ name: "valkey", suite: "bookworm-backports", packages, say });
  return join(folder, "usr/bin/valkey-server");
}

async function startServer({ name, command, user, persistence = "none", directory, port, settings = {} }) {
  const lines = persistences[persistence];
  if (lines === undefined) {
    throw new Error(`persistence is "${persistence}"; give one of ${Object.keys(persistences).join(", ")}`);
  }
  const isDurable = persistence !== "none";
  return await inFolder({ name, isDurable, directory }, (folder, release) =>
    startIn(folder, { name, command, user, port, settings: { ...lines, ...settings }, release }),
  );
}

async function startIn(folder, { name, command, user, port, settings, release }) {
  giveTo(user, folder);
  const password = prepare(folder, user);
  const tls = await makeCertificate(folder, user);
  const choosePorts = async () => {
    const [plain, secure] = await Promise.all([port ?? choosePort(), choosePort()]);
    return { plain, secure };
  };

  const startOn = async (ports) => {
    const file = join(folder, "redis.conf");
    writeFileSync(file, configuration({ folder, ports, password, tls, settings }), { mode: 0o600 });
    giveTo(user, file);
    const log = join(folder, "log");
    const daemon = new Daemon({ name, command, args: [file], cwd: folder, log, user });
    const start = async () => {
      if (!daemon.isRunning) await daemon.start(() => answersPing(ports.plain, password));
    };
    await start();
    return { daemon, start, ports };
  };
  const { daemon, start, ports } = await onFreePort(undefined, choosePorts, startOn);

  const urlOf = (scheme, bound) => `${scheme}://default:${password}@127.0.0.1:${bound}`;
  const url = urlOf("redis", ports.plain);
  const tlsUrl = urlOf("rediss", ports.secure);
  const variable = name.toUpperCase();
  return asService({
    name,
    env: {
      [`${variable}_URL`]: url,
      [`${variable}_TLS_URL`]: tlsUrl,
      [`${variable}_CA_FILE`]: tls.certificate,
    },
    details: {
      start,
      url,
      tlsUrl,
      caFile: tls.certificate,
      port: ports.plain,
      tlsPort: ports.secure,
      password,
      directory: folder,
      log: join(folder, "log"),
    },
    daemons: [daemon],
    start,
    stop: () => daemon.stop("SIGTERM"),
    close: () => daemon.stop("SIGTERM"),
    release,
  });
}

/** Makes the password unless there is one, and returns it. */
function prepare(folder, user) {
  const file = join(folder, "password");
  if (existsSync(file)) return readFileSync(file, "utf8");
  const password = randomBytes(12).toString("hex");
  writeFileSync(file, password, { mode: 0o600 });
  giveTo(user, file);
  return password;
}

function configuration({ folder, ports, password, tls, settings }) {
  const values = {
    bind: "127.0.0.1",
    port: ports.plain,
    "tls-port": ports.secure,
    "tls-cert-file": tls.certificate,
    "tls-key-file": tls.key,
    "tls-ca-cert-file": tls.certificate,
    "tls-auth-clients": "no",
    dir: folder,
    requirepass: password,
    // No snapshots: their children would be mistaken for load, and their files for persistence.
    save: '""',
    ...settings,
  };
  return Object.entries(values)
    .map(([key, value]) => `${key} ${value}\n`)
    .join("");
}
