// Starts the real servers that the tests need, runs a command with their addresses in its environment, and ends them:
// databases, brokers, S3 and what else there is, on loopback, each on a port of its own, with data that goes with it.
//
//   npm run services -- [--only pg,s3] [--with rabbitmq4] [--build-minio] -- COMMAND ARGS...
//   npm run services -- --help

import { parseArgs } from "node:util";
import { endAs, onEnd, runCommand } from "./services/command.mjs";
import { readNames, services, startServices, usualServices } from "./services/launcher.mjs";
import { installPackages, whyNot } from "./services/packages.mjs";

const say = (line) => console.error(`[services] ${line}`);

const help = `npm run services -- [options] [-- COMMAND ARGS...]

Without a command it prints one line "export NAME=value" for each variable and stays until it is told to end.

  --only NAMES     only these, separated by commas
  --with NAMES     these, too, of those that nobody has without asking: rabbitmq4
  --build-minio    MinIO, too; builds it with Go where that has not been done
  --install        installs what is missing (as root on Debian), starts nothing
  --list           what there is
  --help           this

A service that the environment names already is used as it is: set PG_URL, and no PostgreSQL 15 is started.`;

function usage(sentence) {
  say(sentence);
  process.exit(2);
}

function readArguments() {
  const own = process.argv.slice(2);
  const end = own.indexOf("--");
  const command = end === -1 ? [] : own.slice(end + 1);
  const options = {
    only: { type: "string" },
    with: { type: "string" },
    "build-minio": { type: "boolean", default: false },
    install: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  };
  try {
    return { values: parseArgs({ args: end === -1 ? own : own.slice(0, end), options }).values, command };
  } catch (error) {
    return usage(`${error.message}. A command follows "--".`);
  }
}

function namesOf({ only, with: more, "build-minio": buildMinio }) {
  try {
    if (only !== undefined) return readNames("--only", only);
    return usualServices({ buildMinio, more: more === undefined ? [] : readNames("--with", more) });
  } catch ({ message }) {
    return usage(message);
  }
}

function list() {
  for (const [name, { title, variables }] of Object.entries(services)) {
    console.log(`${name.padEnd(14)} ${title}\n${" ".repeat(14)} ${variables.join(", ")}`);
  }
}

async function install(names) {
  const packages = installPackages(names, say);
  const reasonOf = async (name) => {
    // What comes from elsewhere waits for Debian only where it needs something of it.
    if (whyNot(name) !== undefined) await packages;
    return [name, whyNot(name) ?? (await whyNotInstalled(services[name]))];
  };
  const reasons = await Promise.all(names.map(reasonOf));
  await packages;
  const lacking = reasons.filter(([, reason]) => reason !== undefined);
  for (const [name, reason] of lacking) say(`${name} ${reason}`);
  return lacking.length === 0 ? 0 : 1;
}

async function whyNotInstalled({ install: bring }) {
  try {
    await bring?.({ say });
  } catch ({ message }) {
    return message;
  }
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

async function stayUntilTold(env) {
  for (const [name, value] of Object.entries(env)) console.log(`export ${name}=${quoted(value)}`);
  say("they run until this is told to end (Ctrl-C)");
  return await new Promise((end) => {
    const forget = onEnd((signal) => {
      forget();
      end({ signal });
    });
  });
}

async function run(names, command, buildMinio) {
  // Until the command runs, a signal ends us at once, and the guard ends what had been started.
  const started = await startServices(names, { say, buildMinio }).catch(({ message }) => usage(message));
  const { env, failed, close } = started;
  for (const { name, reason } of failed) say(`${name} ${reason}`);
  let outcome = { code: 1 };
  if (failed.length === 0) {
    outcome = command.length === 0 ? await stayUntilTold(env) : await runCommand(command, { env });
  }
  await close();
  endAs(outcome);
}

const { values, command } = readArguments();
if (values.help) console.log(help);
else if (values.list) list();
else {
  const names = namesOf(values);
  if (values.install) process.exitCode = await install(names);
  else await run(names, command, values["build-minio"]);
}
