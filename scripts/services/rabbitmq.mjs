// A RabbitMQ node of its own. Erlang finds nodes by a register of names, epmd, which the first node of a machine leaves
// behind on every address; ours is a child like the broker, on 127.0.0.1, and for this broker alone.

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { answersLogin } from "./amqp-probe.mjs";
import { Daemon, runTool } from "./daemon.mjs";
import { inFolder } from "./folder.mjs";
import { accepts, choosePort } from "./ports.mjs";
import { findRabbitmq, keepRabbitmq4 } from "./rabbitmq-binaries.mjs";
import { asService, onFreePort } from "./service.mjs";
import { makeCertificate } from "./tls.mjs";
import { chooseUser, giveTo } from "./user.mjs";

const username = "modelgate";
const startLimitMs = 120_000;

/**
 * `version` is 3 or 4. `directory` is made and kept when it is given; with the data that is found there the broker goes
 * on. `settings` are more lines of rabbitmq.conf.
 */
export async function startRabbitmq({ version = 3, directory, port, settings = {}, say } = {}) {
  const binaries = version === 4 ? await keepRabbitmq4({ say }) : findRabbitmq();
  if (binaries === undefined) {
    throw new Error("RabbitMQ is not installed: install the package rabbitmq-server");
  }
  const name = version === 4 ? "rabbitmq4" : "rabbitmq";
  return await inFolder({ name, directory }, (folder, release) =>
    startIn(folder, { name, version, binaries, port, settings, release }),
  );
}

async function startIn(folder, { name, version, binaries, port, settings, release }) {
  // What was unpacked below somebody's home is closed to other users.
  const user = version === 4 ? undefined : chooseUser("rabbitmq", "nobody");
  giveTo(user, folder);
  const password = prepare(folder, user);
  const tls = await makeCertificate(folder, user);
  const choosePorts = async () => {
    const all = await Promise.all([
      port ?? choosePort(),
      choosePort(),
      choosePort(),
      choosePort(),
      choosePort(),
    ]);
    const [plain, secure, management, distribution, names] = all;
    return { plain, secure, management, distribution, names };
  };

  const startOn = async (ports) => {
    const files = {
      "rabbitmq.conf": configuration({ ports, password, tls, settings }),
      enabled_plugins: "[rabbitmq_management].\n",
    };
    for (const [file, text] of Object.entries(files)) {
      writeFileSync(join(folder, file), text, { mode: 0o600 });
      giveTo(user, join(folder, file));
    }
    const env = environment(folder, ports, binaries.path);
    const daemon = (program, command, args) =>
      new Daemon({
        name: program,
        command,
        args,
        cwd: folder,
        log: join(folder, `${program}.log`),
        user,
        env,
      });
    const names = daemon("epmd", binaries.path ? join(binaries.path, "epmd") : "epmd", [
      "-port",
      String(ports.names),
      "-address",
      "127.0.0.1",
    ]);
    const broker = daemon(name, join(binaries.sbin, "rabbitmq-server"), []);
    const start = async () => {
      if (!names.isRunning) await names.start(() => accepts(ports.names));
      if (!broker.isRunning) {
        await broker.start(() => answersLogin(ports.plain, username, password), startLimitMs);
      }
    };
    try {
      await start();
    } catch (error) {
      await names.kill();
      throw error;
    }
    return { daemons: [names, broker], start, ports, env };
  };
  const { daemons, start, ports, env } = await onFreePort(undefined, choosePorts, startOn);
  const [names, broker] = daemons;

  const urlOf = (scheme, bound) => `${scheme}://${username}:${password}@127.0.0.1:${bound}`;
  const url = urlOf("amqp", ports.plain);
  const tlsUrl = urlOf("amqps", ports.secure);
  const managementUrl = urlOf("http", ports.management);
  const variable = version === 4 ? "AMQP4" : "AMQP";
  return asService({
    name,
    env: {
      [`${variable}_URL`]: url,
      [`${variable}_TLS_URL`]: tlsUrl,
      [`${variable}_CA_FILE`]: tls.certificate,
      [`${variable}_MANAGEMENT_URL`]: managementUrl,
    },
    details: {
      start,
      url,
      tlsUrl,
      managementUrl,
      caFile: tls.certificate,
      port: ports.plain,
      tlsPort: ports.secure,
      managementPort: ports.management,
      username,
      password,
      directory: folder,
      log: join(folder, `${name}.log`),
      control: (...args) => runTool(join(binaries.sbin, "rabbitmqctl"), args, { user, cwd: folder, env }),
    },
    daemons,
    start,
    async stop() {
      await broker.stop("SIGTERM", 30_000);
      await names.stop("SIGTERM");
    },
    // Its own way to end takes six seconds, and nothing of it is wanted any more.
    close: () => Promise.all([broker.kill(), names.kill()]),
    release,
  });
}

/** Makes the password unless there is one, and returns it: the broker reads it at its first start only. */
function prepare(folder, user) {
  const file = join(folder, "password");
  if (existsSync(file)) return readFileSync(file, "utf8");
  const password = randomBytes(12).toString("hex");
  writeFileSync(file, password, { mode: 0o600 });
  giveTo(user, file);
  return password;
}

function environment(folder, ports, path) {
  return {
    ...(path === undefined ? {} : { PATH: `${path}:/usr/bin:/bin` }),
    RABBITMQ_NODENAME: "modelgate@localhost",
    RABBITMQ_CONF_ENV_FILE: "/dev/null",
    RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "enabled_plugins"),
    RABBITMQ_MNESIA_BASE: join(folder, "data"),
    RABBITMQ_LOG_BASE: folder,
    RABBITMQ_DIST_PORT: String(ports.distribution),
    ERL_EPMD_PORT: String(ports.names),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    // Only with this does the script give its place to the broker, instead of waiting for it as for a child.
    RABBITMQ_ALLOW_INPUT: "1",
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-noinput -kernel inet_dist_use_interface {127,0,0,1}",
    RABBITMQ_CTL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
  };
}

function configuration({ ports, password, tls, settings }) {
  const values = {
    "listeners.tcp.1": `127.0.0.1:${ports.plain}`,
    "listeners.ssl.1": `127.0.0.1:${ports.secure}`,
    "ssl_options.cacertfile": tls.certificate,
    "ssl_options.certfile": tls.certificate,
    "ssl_options.keyfile": tls.key,
    "ssl_options.verify": "verify_none",
    "management.tcp.ip": "127.0.0.1",
    "management.tcp.port": ports.management,
    default_user: username,
    default_pass: password,
    "log.console": "true",
    "log.file": "false",
    // A disk that is rather full is no reason to block publishers in a test.
    "disk_free_limit.absolute": "50MB",
    ...settings,
  };
  return Object.entries(values)
    .map(([key, value]) => `${key} = ${value}\n`)
    .join("");
}
