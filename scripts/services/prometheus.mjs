// Prometheus, which scrapes what tests name to it: a file of targets in the folder of PROM_TARGETS, as `*.json`. It looks
// at that folder every second, and begins with what it finds there some five seconds later.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Daemon } from "./daemon.mjs";
import { inFolder } from "./folder.mjs";
import { choosePort } from "./ports.mjs";
import { findProgram } from "./programs.mjs";
import { asService, onFreePort } from "./service.mjs";
import { chooseUser, giveTo } from "./user.mjs";

export async function startPrometheus({ port } = {}) {
  const command = findProgram("prometheus");
  if (command === undefined) throw new Error("prometheus is not installed: install the package prometheus");
  return await inFolder({ name: "prometheus" }, (folder, release) =>
    startIn(folder, { command, port, release }),
  );
}

async function startIn(folder, { command, port, release }) {
  const user = chooseUser("prometheus", "nobody");
  const targets = join(folder, "targets");
  const file = join(folder, "prometheus.yml");
  mkdirSync(targets);
  writeFileSync(file, configuration(targets));
  giveTo(user, folder, targets, file);

  const startOn = async (chosen) => {
    const daemon = new Daemon({
      name: "prometheus",
      command,
      args: [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${chosen}`,
        "--log.level=warn",
      ],
      cwd: folder,
      log: join(folder, "log"),
      user,
    });
    const isReady = async () => (await fetch(`http://127.0.0.1:${chosen}/-/ready`)).ok;
    const start = () => daemon.start(isReady);
    await start();
    return { daemon, start, port: chosen };
  };
  const { daemon, start, port: bound } = await onFreePort(port, choosePort, startOn);

  const url = `http://127.0.0.1:${bound}`;
  return asService({
    name: "prometheus",
    env: { PROM_URL: url, PROM_TARGETS: targets },
    details: { url, port: bound, directory: folder, log: join(folder, "log") },
    daemons: [daemon],
    start,
    stop: () => daemon.stop("SIGTERM"),
    close: () => daemon.kill(),
    release,
  });
}

function configuration(targets) {
  return `global:
  scrape_interval: 1s
scrape_configs:
  - job_name: modelgate
    file_sd_configs:
      - files: ["${targets}/*.json"]
        refresh_interval: 1s
`;
}
