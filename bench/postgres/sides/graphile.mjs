// graphile-worker, by its defaults or with jobs fetched ahead and completed in batches. It deletes what succeeded, which
// saves it the keeping that every other side does.
import { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fromPeers } from "../peers.mjs";
import { LIMIT, MODEL, RESULT } from "../tasks.mjs";

const { run, runMigrations, makeWorkerUtils, Logger } = fromPeers("graphile-worker");
const { Pool } = fromPeers("pg");

const POOL = Number(process.env.BENCH_POOL ?? 25);
const JOBS = "graphile_worker._private_jobs";
const logger = new Logger(() => () => {});

/** With `ahead`, jobs fetched ahead of any free slot, and completions sent together. */
export function graphile(ahead) {
  const batched = { localQueue: { size: ahead }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
  const worker = { concurrentJobs: LIMIT, maxPoolSize: POOL, ...(ahead > 0 ? batched : {}) };
  const settings = `concurrency ${LIMIT}, pool of ${POOL}, ${
    ahead > 0 ? `localQueue ${ahead}, completeJobBatchDelay 0: up to ${LIMIT + ahead} held, ` : ""
  }completed jobs are deleted`;
  const presetFor = (url) => ({ worker: { ...worker, connectionString: url, logger } });

  return {
    settings,
    async prepare(url) {
      await runMigrations({ preset: presetFor(url) });
    },
    async fill(url, count, payloadOf) {
      const utils = await makeWorkerUtils({ preset: presetFor(url) });
      for (let at = 0; at < count; at += 1000) {
        const size = Math.min(1000, count - at);
        await utils.addJobs(
          Array.from({ length: size }, (_, index) => ({ identifier: MODEL, payload: payloadOf(at + index) })),
        );
      }
      await utils.release();
    },
    async openProducer(url) {
      const utils = await makeWorkerUtils({ preset: presetFor(url) });
      return { submit: (payload) => utils.addJob(MODEL, payload), close: () => utils.release() };
    },
    async openConsumer(url, { handle, onEnded, onError }) {
      const pool = new Pool({ connectionString: url, max: 1 });
      const task = async (payload) => {
        await handle(payload);
        return RESULT;
      };
      const events = new EventEmitter();
      events.on("job:complete", () => onEnded(1));
      events.on("job:error", ({ error }) => onError(error));
      let runner;
      return {
        async start() {
          const taskList = { [MODEL]: task };
          runner = await run({ preset: presetFor(url), taskList, events, noHandleSignals: true });
          runner.promise.catch(onError);
        },
        /** It does not say when a completion was committed; no row is left once all were. */
        async flushed() {
          for (;;) {
            const { rows } = await pool.query(`SELECT 1 FROM ${JOBS} LIMIT 1`);
            if (rows.length === 0) return;
            await sleep(1);
          }
        },
        async stop() {
          await runner.stop();
          await pool.end();
        },
      };
    },
    /** Rows that are left are not ended. */
    async countEnded(url, total) {
      const pool = new Pool({ connectionString: url, max: 1 });
      const { rows } = await pool.query(`SELECT count(*) FROM ${JOBS}`);
      await pool.end();
      return total - Number(rows[0].count);
    },
  };
}
