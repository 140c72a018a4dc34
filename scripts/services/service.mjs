// What a script is given of a server that it started: it can be stopped, crashed, frozen and brought back, on the same
// port and with the same data.

const portTries = 4;

/** Calls `startOn(port)`; when we choose the port and somebody else was quicker to bind it, again on another one. */
export async function onFreePort(wanted, choosePort, startOn) {
  for (let count = 1; ; count += 1) {
    try {
      return await startOn(wanted ?? (await choosePort()));
    } catch (error) {
      const isTaken = /address already in use|EADDRINUSE/i.test(error.message);
      if (wanted !== undefined || !isTaken || count === portTries) throw error;
    }
  }
}

/**
 * `daemons` in the order in which they start; `start` brings them back and `stop` ends them in order. `close` ends the
 * service for good, and `release` gives back its folder.
 */
export function asService({ name, env, details, daemons, start, stop, close, release }) {
  const each = async (action) => {
    for (const daemon of daemons) await action(daemon);
  };
  return {
    name,
    env,
    ...details,
    get pids() {
      return daemons.flatMap(({ pid }) => pid ?? []);
    },
    stop,
    kill: () => Promise.all(daemons.map((daemon) => daemon.kill())).then(() => {}),
    pause: () => each((daemon) => daemon.pause()),
    resume: () => each((daemon) => daemon.resume()),
    async restart() {
      await stop();
      await start();
    },
    async close() {
      await close();
      await release();
    },
  };
}
