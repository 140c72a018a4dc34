// The health check of the images: they have no curl.

const port = process.argv[2] ?? process.env.PORT ?? "8000";
const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2000) }).catch(
  () => {},
);
process.exit(answer?.ok ? 0 : 1);
