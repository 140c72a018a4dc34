// A transaction pooler in front of a PostgreSQL: statements of one session meet different connections there, so that
// what an adapter keeps in a session is lost.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Daemon } from "./daemon.mjs";
import { inFolder } from "./folder.mjs";
import { choosePort } from "./ports.mjs";
import { answersQuery } from "./postgres-probe.mjs";
import { findProgram } from "./programs.mjs";
import { asService, onFreePort } from "./service.mjs";
import { chooseUser, giveTo } from "./user.mjs";

/** `url` is the server behind it. Every database of that server is reached under its own name. */
export async function startPgbouncer({ url, port, settings = {} }) {
  const command = findProgram("pgbouncer");
  if (command === undefined) throw new Error("pgbouncer is not installed: install the package pgbouncer");
  return await inFolder({ name: "pgbouncer" }, (folder, release) =>
    startIn(folder, { command, url, port, settings, release }),
  );
}

async function startIn(folder, { command, url, port, settings, release }) {
  const behind = new URL(url);
  const user = chooseUser("postgres", "nobody");
  giveTo(user, folder);
  const name = decodeURIComponent(behind.username || "postgres");
  const password = decodeURIComponent(behind.password);
  const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
  // In plain text: from a stored SCRAM secret pgbouncer could not log in to the server.
  writeFileSync(join(folder, "users"), `${quoted(name)} ${quoted(password)}\n`, { mode: 0o600 });
  const method = password === "" ? "trust" : "scram-sha-256";
  writeFileSync(join(folder, "hba"), `local all all trust\nhost all all 127.0.0.1/32 ${method}\n`);
  giveTo(user, join(folder, "users"), join(folder, "hba"));

  const startOn = async (chosen) => {
    const file = join(folder, "pgbouncer.ini");
    writeFileSync(file, configuration({ behind, folder, port: chosen, settings }));
    giveTo(user, file);
    const daemon = new Daemon({
      name: "pgbouncer",
      command,
      args: [file],
      cwd: folder,
      log: join(folder, "log"),
      user,
    });
    const isReady = () => answersQuery(`/proc/${daemon.pid}/cwd/.s.PGSQL.${chosen}`, name);
    const start = () => daemon.start(isReady);
    await start();
    return { daemon, start, port: chosen };
  };
  const { daemon, start, port: bound } = await onFreePort(port, choosePort, startOn);

  const own = new URL(url);
  own.host = `127.0.0.1:${bound}`;
  return asService({
    name: "pgbouncer",
    env: { PGBOUNCER_URL: own.href },
    details: { url: own.href, port: bound, directory: folder, log: join(folder, "log") },
    daemons: [daemon],
    start,
    stop: () => daemon.stop("SIGTERM"),
    close: () => daemon.kill(),
    release,
  });
}

function configuration({ behind, folder, port, settings }) {
  const values = {
    pool_mode: "transaction",
    listen_addr: "127.0.0.1",
    listen_port: port,
    unix_socket_dir: ".",
    auth_type: "hba",
    auth_hba_file: join(folder, "hba"),
    auth_file: join(folder, "users"),
    max_client_conn: 1000,
    default_pool_size: 20,
    // Drivers ask for it, and it changes nothing for them.
    ignore_startup_parameters: "extra_float_digits",
    ...settings,
  };
  const lines = Object.entries(values).map(([key, value]) => `${key} = ${value}`);
  const host = behind.hostname.replaceAll(/[[\]]/g, "");
  return `[databases]\n* = host=${host} port=${behind.port || 5432}\n[pgbouncer]\n${lines.join("\n")}\n`;
}
