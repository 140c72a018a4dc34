const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Resolves to the first signal that asks for an end; a second one ends the process at once. */
export function stopSignal(): Promise<keyof typeof EXIT_CODES> {
  return new Promise((resolve) => {
    let isStopping = false;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => {
        if (isStopping) process.exit(EXIT_CODES[signal]);
        isStopping = true;
        resolve(signal);
      });
    }
  });
}
