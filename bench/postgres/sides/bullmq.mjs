// BullMQ with its PostgreSQL backend. Completed jobs are kept, which is its default.
import { fromPeers } from "../peers.mjs";
import { LIMIT, MODEL, RESULT } from "../tasks.mjs";

const { Queue, Worker, createPostgresBackend, setDefaultBackendFactory } = fromPeers("bullmq");
setDefaultBackendFactory(createPostgresBackend);

// The driver's own default.
const POOL = Number(process.env.BENCH_POOL ?? 10);
export const settings = `concurrency ${LIMIT}, pool of ${POOL}, removeOnComplete: false`;

const connectionTo = (url) => ({ connectionString: url, max: POOL });
const keep = { removeOnComplete: false, removeOnFail: false };

export async function prepare(url) {
  const queue = new Queue(MODEL, { connection: { ...connectionTo(url), migrate: true } });
  await queue.waitUntilReady();
  await queue.close();
}

export async function fill(url, count, payloadOf) {
  const queue = new Queue(MODEL, { connection: connectionTo(url) });
  for (let at = 0; at < count; at += 1000) {
    const size = Math.min(1000, count - at);
    await queue.addBulk(
      Array.from({ length: size }, (_, index) => ({ name: MODEL, data: payloadOf(at + index), opts: keep })),
    );
  }
  await queue.close();
}

export async function openProducer(url) {
  const queue = new Queue(MODEL, { connection: connectionTo(url) });
  await queue.waitUntilReady();
  return { submit: (payload) => queue.add(MODEL, payload, keep), close: () => queue.close() };
}

export async function openConsumer(url, { handle, onEnded, onError }) {
  const process = async ({ data }) => {
    await handle(data);
    return RESULT;
  };
  const worker = new Worker(MODEL, process, {
    connection: connectionTo(url),
    concurrency: LIMIT,
    autorun: false,
    ...keep,
  });
  worker.on("completed", () => onEnded(1));
  worker.on("failed", (_job, error) => onError(error));
  worker.on("error", onError);
  await worker.waitUntilReady();
  return {
    async start() {
      worker.run().catch(onError);
    },
    stop: () => worker.close(),
  };
}

export async function countEnded(url) {
  const queue = new Queue(MODEL, { connection: connectionTo(url) });
  const count = await queue.getCompletedCount();
  await queue.close();
  return count;
}
