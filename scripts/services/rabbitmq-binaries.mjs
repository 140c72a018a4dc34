// Which RabbitMQ is run: the one of the Debian that this is, or the next one's, which is unpacked with its Erlang and the
// libraries that both were built with.

import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { keepPackages } from "./debian-archive.mjs";

const erlangParts =
  "base asn1 crypto eldap inets mnesia os-mon parsetools public-key runtime-tools ssl syntax-tools tools xmerl";
const libraries = [
  "libc6",
  "libcap2",
  "libgcc-s1",
  "libssl3t64",
  "libstdc++6",
  "libsystemd0",
  "libtinfo6",
  "libzstd1",
];
const packages = [
  "rabbitmq-server",
  ...erlangParts.split(" ").map((part) => `erlang-${part}`),
  ...libraries,
  "zlib1g",
];
const runtimePrograms = ["beam.smp", "epmd", "erl_child_setup", "erlexec", "inet_gethost"];

/** `{ sbin }`, the folder of its scripts, or `undefined` when it is not installed. */
export function findRabbitmq() {
  const sbin = scriptsBelow("/");
  return sbin === undefined ? undefined : { sbin };
}

/** The same of RabbitMQ 4, and `path`, where its own Erlang is; brings it unless that was done before. */
export async function keepRabbitmq4({ say } = {}) {
  const asked = { name: "rabbitmq4", suite: "trixie", packages, finish: finishErlang, say };
  const folder = await keepPackages(asked);
  return { sbin: scriptsBelow(folder), path: join(folder, "usr/lib/erlang/bin") };
}

/** Those in /usr/sbin change the user and the place of the log. */
function scriptsBelow(root) {
  const base = join(root, "usr/lib/rabbitmq/lib");
  const name = existsSync(base) && readdirSync(base).find((each) => each.startsWith("rabbitmq_server-"));
  return name ? join(base, name, "sbin") : undefined;
}

/**
 * Programs that were built with a newer C library than this machine has are started by that library's own loader. So
 * each gets a script in its place, and so does `erl`, which knows one folder only. They run in `folder`, to which
 * `files` is moved.
 */
function finishErlang(files, folder) {
  const beginning = (path, start) => readdirSync(join(files, path)).find((name) => name.startsWith(start));
  const platform = readdirSync(join(files, "usr/lib")).find((name) => name.endsWith("-linux-gnu"));
  const libraryPath = join(folder, "usr/lib", platform);
  const loader = join(libraryPath, beginning(join("usr/lib", platform), "ld-linux-"));
  const write = (path, ...lines) => {
    rmSync(join(files, path), { force: true });
    writeFileSync(join(files, path), ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
  };
  const wrap = (path) => {
    renameSync(join(files, path), join(files, `${path}.real`));
    const real = join(folder, `${path}.real`);
    write(path, `exec "${loader}" --library-path "${libraryPath}" --argv0 "$0" "${real}" "$@"`);
  };
  const erlang = "usr/lib/erlang";
  const runtime = join(erlang, beginning(erlang, "erts-"), "bin");
  const monitors = join(erlang, "lib", beginning(join(erlang, "lib"), "os_mon-"), "priv/bin");
  for (const program of runtimePrograms) wrap(join(runtime, program));
  for (const program of readdirSync(join(files, monitors))) wrap(join(monitors, program));
  wrap(join(erlang, "bin/escript"));
  const environment = `ROOTDIR="${join(folder, erlang)}" BINDIR="${join(folder, runtime)}"`;
  write(
    join(erlang, "bin/erl"),
    `export ${environment} EMU=beam PROGNAME=erl`,
    'exec "$BINDIR/erlexec" "$@"',
  );
}
