// pg-boss through its own calls: its `work()` fetches every half second at most, so this is what somebody would write who
// wants throughput of it. Loops share the slots; each fetches as many jobs as it has, and completes them in one call.
import { setTimeout as sleep } from "node:timers/promises";
import { fromPeers } from "../peers.mjs";
import { LIMIT, MODEL, RESULT } from "../tasks.mjs";

const PgBoss = fromPeers("pg-boss");

/** More of them are slower when much waits: each fetch sorts the backlog in this version. */
const LOOPS = 1;
const POOL = Number(process.env.BENCH_POOL ?? 20);
/** A look that found nothing is repeated after this. It has no notifications in this version. */
const POLL_MS = 10;
export const settings = `${LOOPS} loop of fetch(${LIMIT / LOOPS}) and complete, pool of ${POOL}, ${POLL_MS} ms between empty fetches, maintenance off`;

async function open(url) {
  const boss = new PgBoss({ connectionString: url, max: POOL, supervise: false, schedule: false });
  await boss.start();
  return boss;
}

const close = (boss) => boss.stop({ graceful: false, wait: true, close: true });

export async function prepare(url) {
  const boss = await open(url);
  await boss.createQueue(MODEL);
  await close(boss);
}

export async function fill(url, count, payloadOf) {
  const boss = await open(url);
  for (let at = 0; at < count; at += 1000) {
    const size = Math.min(1000, count - at);
    await boss.insert(
      Array.from({ length: size }, (_, index) => ({ name: MODEL, data: payloadOf(at + index) })),
    );
  }
  await close(boss);
}

export async function openProducer(url) {
  const boss = await open(url);
  return { submit: (payload) => boss.send(MODEL, payload), close: () => close(boss) };
}

export async function openConsumer(url, { handle, onEnded, onError, options }) {
  const boss = await open(url);
  const count = Number(options.loops ?? LOOPS);
  let isWorking = true;
  const loop = async () => {
    while (isWorking) {
      const jobs = await boss.fetch(MODEL, { batchSize: LIMIT / count });
      if (jobs.length === 0) {
        await sleep(POLL_MS);
        continue;
      }
      await Promise.all(jobs.map(({ data }) => handle(data)));
      const ids = jobs.map(({ id }) => id);
      await boss.complete(MODEL, ids, RESULT);
      onEnded(ids.length);
    }
  };
  let loops = [];
  return {
    async start() {
      loops = Array.from({ length: count }, () => loop().catch(onError));
    },
    async stop() {
      isWorking = false;
      await Promise.all(loops);
      await close(boss);
    },
  };
}

export async function countEnded(url) {
  const boss = await open(url);
  const { rows } = await boss.getDb().executeSql("SELECT count(*) FROM pgboss.job WHERE state = 'completed'");
  await close(boss);
  return Number(rows[0].count);
}
