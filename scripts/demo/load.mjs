// The clients of the demo. They know nothing of what happens to the gateway: what does not answer is asked again, and
// what may have been submitted is submitted again under the same Idempotency-Key.

import { setTimeout as sleep } from "node:timers/promises";

const tryMs = 5_000;
const pauseMs = 100;
/** How many tasks are asked for at a time, and the pause between two rounds. */
const lookers = 8;
const lookEveryMs = 60;
/** Most rounds ask only for what may have changed: what ran, and so many of those whose turn is next. */
const nextInTurn = 24;
const roundsUntilAll = 10;

const runningStates = new Set(["scheduled", "running"]);
const endStates = new Set(["succeeded", "failed", "cancelled"]);

/** One note on its way. `uuids` has more than one only if the gateway made two tasks of it. */
function letterOf(note, runName) {
  return {
    ...note,
    key: `${runName}-${note.number}`,
    stage: "unsent",
    state: undefined,
    uuids: new Set(),
    submits: 0,
    task: undefined,
    isLost: false,
  };
}

export class Load {
  letters;
  #url;
  #signal;

  constructor({ url, notes, runName, signal }) {
    this.#url = url;
    this.#signal = signal;
    this.letters = notes.map((note) => letterOf(note, runName));
  }

  count(test) {
    return this.letters.reduce((sum, letter) => sum + (test(letter) ? 1 : 0), 0);
  }

  get accepted() {
    return this.count(({ uuids }) => uuids.size > 0);
  }

  get ended() {
    return this.count(({ stage }) => stage === "ended");
  }

  /** Submits everything: the first `burst` as fast as it goes, then one each `everyMs`; several clients share the work. */
  async submitAll({ clients, burst, everyMs }) {
    let next = 0;
    const begunAt = performance.now();
    const client = async () => {
      for (;;) {
        const index = next;
        next += 1;
        const letter = this.letters[index];
        if (letter === undefined) return;
        const dueMs = Math.max(0, index - burst) * everyMs - (performance.now() - begunAt);
        if (dueMs > 0) await sleep(dueMs, undefined, { signal: this.#signal });
        await this.#submit(letter);
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
  }

  /**
   * Each client submits its last accepted note once more, as it would had the connection broken before the answer
   * came: so every run shows that a key is still known after a kill, and not only when the kill hits a submit.
   */
  async repeatLast(count) {
    const sent = this.letters.filter(({ uuids }) => uuids.size > 0).slice(-count);
    await Promise.all(sent.map((letter) => this.#submit(letter)));
  }

  /** Looks after every accepted task until all letters have ended. */
  async follow() {
    for (let round = 0; this.ended < this.letters.length; round += 1) {
      const waiting = this.letters.filter(({ stage }) => stage === "waiting");
      waiting.sort((a, b) => b.priority - a.priority);
      const seen = round % roundsUntilAll === 0 ? waiting : waiting.slice(0, nextInTurn);
      const open = [...this.letters.filter(({ stage }) => stage === "running"), ...seen];
      let next = 0;
      const looker = async () => {
        for (let letter = open[next++]; letter; letter = open[next++]) await this.#look(letter);
      };
      await Promise.all(Array.from({ length: lookers }, looker));
      await sleep(lookEveryMs, undefined, { signal: this.#signal });
    }
  }

  /** The result's bytes as text; `undefined` when the gateway has none. */
  async result(letter) {
    const [uuid] = letter.uuids;
    const answer = await this.#ask(`/tasks/${uuid}?download=true`);
    const text = await answer.text();
    return answer.headers.get("x-task-status") === "succeeded" ? text : undefined;
  }

  /** The ids of all tasks that the gateway has, whoever submitted them. */
  async listTasks(adminKey) {
    const ids = [];
    let cursor = "";
    do {
      const answer = await this.#ask(
        `/tasks/?limit=1000${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
        () => ({
          headers: { "x-modelgate-key": adminKey },
        }),
      );
      if (answer.status !== 200) throw new Error(`The list of tasks was answered with ${answer.status}.`);
      const { tasks, next_cursor: next } = await answer.json();
      ids.push(...tasks.map(({ uuid }) => uuid));
      cursor = next;
    } while (cursor);
    return ids;
  }

  async #submit(letter) {
    const answer = await this.#ask(`/models/nlp/tasks/process?priority=${letter.priority}`, () => {
      letter.submits += 1;
      const headers = { "content-type": "text/plain", "idempotency-key": letter.key };
      return { method: "POST", headers, body: letter.text };
    });
    if (answer.status !== 200)
      throw new Error(`A submit was answered with ${answer.status}: ${await answer.text()}`);
    letter.uuids.add((await answer.json()).uuid);
    if (letter.stage === "unsent") letter.stage = "waiting";
  }

  async #look(letter) {
    const [uuid] = letter.uuids;
    const answer = await this.#ask(`/tasks/${uuid}?detail=true`);
    const task = await answer.json();
    if (answer.status === 404) letter.isLost = true;
    if (runningStates.has(task.status)) letter.stage = "running";
    if (task.status === "pending") letter.stage = "waiting";
    if (!endStates.has(task.status) && answer.status !== 404) return;
    letter.stage = "ended";
    letter.state = task.status;
    letter.task = task;
  }

  /** Asks until there is an answer that does not say "later". */
  async #ask(path, requestOf = () => ({})) {
    for (;;) {
      this.#signal.throwIfAborted();
      const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(tryMs)]);
      const answer = await fetch(this.#url + path, { ...requestOf(), signal }).catch(() => undefined);
      if (answer && answer.status !== 409 && answer.status !== 429 && answer.status < 500) return answer;
      await answer?.body?.cancel();
      await sleep(pauseMs, undefined, { signal: this.#signal });
    }
  }
}
