// A real MLflow server, with its runs and registry in a file and artifacts that it hands out itself. Its list of versions
// is the part of MLflow's own that the server loads: a third of the room, and nothing to be resolved.

import { join } from "node:path";
import { Daemon } from "./daemon.mjs";
import { inFolder } from "./folder.mjs";
import { mlflow2, mlflow3 } from "./mlflow-requirements.mjs";
import { choosePort } from "./ports.mjs";
import { keepVenv } from "./python-venv.mjs";
import { asService, onFreePort } from "./service.mjs";

const requirementsOf = { 2: mlflow2, 3: mlflow3 };

/** Installs it unless that was done before; resolves to the Python that has it. */
export function installMlflow({ version = process.env.MODELGATE_MLFLOW_VERSION || 3, say } = {}) {
  const list = requirementsOf[version];
  if (list === undefined) throw new Error(`MODELGATE_MLFLOW_VERSION is "${version}"; give 2 or 3`);
  // What it never loads needs no compiling, which takes as long as all the rest.
  const requirements = ["--no-deps", "--no-compile", ...list];
  return keepVenv({ name: `mlflow${version}`, requirements, say });
}

/** `directory` is made and kept when it is given; with what is found there it goes on. */
export async function startMlflow({ version, port, directory, say } = {}) {
  const python = await installMlflow({ version, say });
  return await inFolder({ name: "mlflow", directory }, (folder, release) =>
    startIn(folder, { python, port, release }),
  );
}

async function startIn(folder, { python, port, release }) {
  const startOn = async (chosen) => {
    const url = `http://127.0.0.1:${chosen}`;
    const store = `sqlite:///${join(folder, "runs.sqlite")}`;
    const args = ["--host", "127.0.0.1", "--port", String(chosen), "--workers", "1"];
    args.push("--backend-store-uri", store, "--artifacts-destination", join(folder, "artifacts"));
    const daemon = new Daemon({
      name: "mlflow",
      command: python,
      args: ["-m", "mlflow", "server", ...args],
      cwd: folder,
      log: join(folder, "log"),
      env: {
        // Otherwise eight processes more, which nothing here has work for.
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false",
        MLFLOW_DISABLE_TELEMETRY: "true",
        // The server of MLflow 2 is started by its name.
        PATH: `${join(python, "..")}:${process.env.PATH ?? ""}`,
      },
    });
    const isReady = async () => (await fetch(`${url}/health`, { signal: AbortSignal.timeout(5000) })).ok;
    const start = () => daemon.start(isReady);
    await start();
    return { daemon, start, url, port: chosen };
  };
  const { daemon, start, url, port: bound } = await onFreePort(port, choosePort, startOn);

  return asService({
    name: "mlflow",
    env: { MLFLOW_URL: url },
    details: { url, port: bound, directory: folder },
    daemons: [daemon],
    start,
    stop: () => daemon.stop("SIGTERM"),
    close: () => daemon.kill(),
    release,
  });
}
