// Our ledger of a task store and a queue, as a side beside those of bench/postgres, whose driver it uses: the same runner,
// the same hints, by the broker's wake-ups. It sweeps once a second, as a gateway does, so that reconciling is paid for.

import { consume, countSucceeded, hinter } from "../postgres/sides/ours.mjs";
import { fillLedger, newTask } from "../postgres/tasks.mjs";
import { openComposed, SWEEP_MS, sweepRound } from "./composed-ledger.mjs";

/** The name of a database is used once, so that keys and queues that have it too are nobody else's. */
function openStoreOf(store, broker, url, isNative) {
  return openComposed({ store, broker, url, brokerUrl: process.env.BENCH_BROKER_URL, isNative });
}

/** What `side.mjs` asks of a side. With `isNative` the broker carries the wake-ups alone. */
export function composedSide(storeKind, brokerKind, isNative = false) {
  const openStore = (url) => openStoreOf(storeKind, brokerKind, url, isNative);
  const withStore = async (url, work) => {
    const store = await openStore(url);
    const result = await work(store.ledger);
    await store.close();
    return result;
  };
  return {
    settings: "one runner, nothing fetched ahead, a sweep a second",
    prepare: (url) => withStore(url, async () => {}),
    fill: (url, count) => withStore(url, (ledger) => fillLedger(ledger, 0, count)),
    countEnded: (url) => withStore(url, countSucceeded),
    async openProducer(url) {
      const store = await openStore(url);
      const hint = hinter(store.wakeups);
      return {
        async submit(payload) {
          const [{ outcome, error }] = await store.ledger.submit([newTask(payload)]);
          if (outcome !== "accepted") throw error;
          hint();
        },
        close: () => store.close(),
      };
    },
    async openConsumer(url, given) {
      const store = await openStore(url);
      let sweeping;
      const timer = setInterval(() => {
        sweeping ??= sweepRound(store.ledger)
          .catch(given.onError)
          .finally(() => (sweeping = undefined));
      }, SWEEP_MS);
      const close = async () => {
        clearInterval(timer);
        await sweeping;
        await store.close();
      };
      return consume({ ...store, close }, given);
    },
  };
}
