import { setTimeout as sleep } from "node:timers/promises";
import { call } from "../../support/http-client.ts";
import { type Addresses, endingsOf, tally } from "./cluster-tasks.ts";

/** Somebody who goes on submitting tasks, whatever happens to the engine, and to whom nothing may seem amiss. */
export class TaskLoad {
  readonly ids: string[] = [];
  /** Every answer but acceptance. */
  readonly refused: string[] = [];
  #isRunning = true;
  readonly #done: Promise<unknown>;
  readonly #urls: Addresses;

  constructor(models: readonly string[], urls: Addresses, everyMs = 150) {
    this.#urls = urls;
    this.#done = Promise.all(models.map((model) => this.#run(model, everyMs)));
  }

  async #run(model: string, everyMs: number): Promise<void> {
    for (let turn = 0; this.#isRunning; turn += 1) {
      const all = this.#urls();
      const url = all[turn % all.length] ?? "";
      const headers = { "content-type": "text/plain" };
      const sent = { method: "POST", headers, body: "a text of a task" };
      const { status, text, json } = await call(url, `/models/${model}/tasks/process`, sent);
      if (status === 200) this.ids.push(json.uuid);
      else this.refused.push(`${model}: ${status} ${text}`);
      await sleep(everyMs);
    }
  }

  /** Stops, and resolves to how many tasks ended how. */
  async endings(limitMs = 60_000): Promise<Readonly<Record<string, number>>> {
    this.#isRunning = false;
    await this.#done;
    return tally(await endingsOf(this.ids, this.#urls, limitMs));
  }
}
