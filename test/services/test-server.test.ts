import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { cmsProtocol } from "../../packages/core/src/protocols/cms.ts";
import { root } from "./launched.ts";

const path = `${root}scripts/images/test-server.mjs`;

interface Started {
  readonly url: string;
  readonly ended: Promise<unknown[]>;
  kill(signal: NodeJS.Signals): boolean;
}

/** Starts it here instead of in a container: it is the same program. */
async function start(args: string[], env: Record<string, string> = {}): Promise<Started> {
  const child = spawn(process.execPath, [path, "--port", "0", "--host", "127.0.0.1", ...args], { env });
  onTestFinished(() => void child.kill("SIGKILL"));
  const ended = once(child, "exit");
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  return { url: `http://127.0.0.1:${JSON.parse(line).port}`, ended, kill: (signal) => child.kill(signal) };
}

async function* payloadOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

describe("the test server", () => {
  it("speaks as a CMS does: probes, answers, runs one training at a time, finds and cancels it", async () => {
    const { url } = await start(["--model", "kept", "--run-ms=60000"], { PROCESS_MS: "1" });
    const protocol = cmsProtocol();
    onTestFinished(() => protocol.close());
    const server = { id: "one", url, models: ["kept"] } as never;
    expect(await protocol.probe(server)).toMatchObject({ ready: true });
    const call = (operation: string, taskId: string) =>
      protocol.call({
        server,
        model: "kept",
        operation,
        taskId,
        attempt: 1,
        payload: payloadOf("a note"),
        query: "",
        timeoutMs: 5000,
        onSend: () => {},
      } as never);

    const answered = await call("process", "t1");
    if (answered.kind !== "done") throw new Error(`it was ${answered.kind}`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of answered.answer.body) chunks.push(chunk);
    expect(JSON.parse(Buffer.concat(chunks).toString())).toMatchObject({ text: "a note" });

    const accepted = await call("train_unsupervised", "t2");
    if (accepted.kind !== "accepted") throw new Error(`it was ${accepted.kind}`);
    const { runId } = accepted;
    expect(await call("train_supervised", "t3")).toMatchObject({ kind: "refused", blockingRunId: runId });
    expect(await protocol.findRun({ server, taskId: "t2" } as never)).toMatchObject({ run: "active", runId });
    expect(await protocol.findRun({ server, taskId: "t3" } as never)).toMatchObject({ run: "none" });
    expect(await protocol.cancelRun({ server, taskId: "t2" } as never)).toBe(true);
    expect(await protocol.findRun({ server, taskId: "t2" } as never)).toMatchObject({ run: "failed" });
  });

  it("is not ready before its time, says how it was started, and counts", async () => {
    const args = ["--start-delay-ms", "2000", "--flag=a b", "ü$`"];
    const { url } = await start(args, { SECRET: "x=y z" });
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/process`, { method: "POST", body: "text" })).status).toBe(503);
    const { argv, env } = (await (await fetch(`${url}/argv`)).json()) as { argv: string[]; env: object };
    expect(argv.slice(4)).toEqual(args);
    expect(env).toEqual({ SECRET: "x=y z" });
    for (let status = 0; status !== 200; await sleep(50)) ({ status } = await fetch(`${url}/readyz`));
    const { counts, startedAt, readyAt } = await (await fetch(`${url}/counts`)).json();
    expect(counts).toMatchObject({ "/process": 1, "/argv": 1 });
    expect(readyAt - startedAt).toBeGreaterThanOrEqual(1999);
  });

  it("dies and stays as it is told", async () => {
    const dying = await start([], { EXIT_AFTER_MS: "50", EXIT_CODE: "7" });
    expect(await dying.ended).toEqual([7, null]);
    const obeying = await start([]);
    obeying.kill("SIGTERM");
    expect(await obeying.ended).toEqual([0, null]);
    const staying = await start([], { IGNORE_SIGTERM: "1", NEVER_READY: "1" });
    staying.kill("SIGTERM");
    await sleep(100);
    expect((await fetch(`${staying.url}/readyz`)).status).toBe(503);
  });
});
