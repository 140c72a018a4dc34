// The whole gateway in process over our ledger: discovery, intake, runner and events, with a protocol whose servers are
// a function that does nothing. A gateway that submits hints to one that runs.
import { load } from "../load-store.mjs";
import { LIMIT, MODEL, RESULT } from "../tasks.mjs";
import { countEnded, fill, openStore, prepare } from "./ours.mjs";

export const settings = "two servers of 50 slots, which is the most that a gateway gives one is 64";
export { countEnded, fill, prepare };

const encoder = new TextEncoder();
const body = encoder.encode(JSON.stringify(RESULT));

/** Every server answers at once, from this process. */
export function functionProtocol(handle) {
  const unclaimed = async () => {
    throw new Error("this protocol does no background work");
  };
  return {
    name: "function",
    operations: new Map([["process", { repeatable: true, background: false, timeoutMs: 60_000 }]]),
    capabilities: { findsRuns: false, cancelsRuns: false },
    probe: async () => ({ ready: true }),
    async call({ payload, onSend }) {
      onSend();
      await handle(JSON.parse(Buffer.from(payload).toString()));
      return { kind: "done", answer: answer() };
    },
    findRun: unclaimed,
    cancelRun: unclaimed,
    info: async () => undefined,
    close: async () => {},
  };
}

function answer() {
  return {
    status: 200,
    contentType: "application/json",
    sizeBytes: body.byteLength,
    body: (async function* () {
      yield body;
    })(),
  };
}

async function openGateway(url, { handle, runs }) {
  const [{ createGateway }, { memoryDiscovery }] = [await load("core"), await load("memory")];
  const store = await openStore(url);
  const servers = ["one", "two"].map((id) => ({
    id,
    url: `function://${id}`,
    models: [MODEL],
    protocol: "function",
    state: "ready",
    limit: LIMIT / 2,
  }));
  const discovery = memoryDiscovery(servers);
  const gateway = createGateway({
    discovery,
    ledger: store.ledger,
    wakeups: store.wakeups,
    protocols: [functionProtocol(handle)],
    name: `bench-${process.pid}`,
    runs,
  });
  const close = async () => {
    await gateway.stop();
    await discovery.close();
    await store.close();
  };
  return { gateway, close };
}

export async function openProducer(url) {
  const { gateway, close } = await openGateway(url, { handle: async () => {}, runs: false });
  await gateway.start();
  return {
    submit: (payload) =>
      gateway.submit({
        model: MODEL,
        operation: "process",
        payload: JSON.stringify(payload),
        contentType: "application/json",
      }),
    close,
  };
}

export async function openConsumer(url, { handle, onEnded, onError }) {
  const { gateway, close } = await openGateway(url, { handle, runs: true });
  gateway.events.on("task:ended", () => onEnded(1));
  gateway.events.on("adapter:failed", ({ adapter, code }) => onError(new Error(`${adapter}: ${code}`)));
  return { start: () => gateway.start(), stop: close };
}
