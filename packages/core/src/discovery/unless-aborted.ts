/** `work`, or the reason of the first signal that aborts before. */
export async function unlessAborted<T>(
  work: Promise<T>,
  ...signals: readonly (AbortSignal | undefined)[]
): Promise<T> {
  const given = signals.filter((signal) => signal !== undefined);
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(given.find((signal) => signal.aborted)?.reason);
  });
  for (const signal of given) signal.addEventListener("abort", onAbort, { once: true });
  if (given.some((signal) => signal.aborted)) onAbort();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    for (const signal of given) signal.removeEventListener("abort", onAbort);
  }
}
