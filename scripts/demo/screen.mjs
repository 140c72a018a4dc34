// The live picture: in a terminal a table that is redrawn in place, anywhere else a line each second.

import { bold, cyan, dim, green, red, yellow } from "./style.mjs";

const redrawMs = 100;
const lineMs = 1_000;
/** A table that does not fit cannot be redrawn in place. */
const tableLines = 18;
const priorities = Array.from({ length: 11 }, (_, index) => 10 - index);
const names = { 10: "urgent", 5: "usual", 0: "background" };

export class Screen {
  #load;
  #gateway;
  #isLive = process.stdout.isTTY === true && process.env.TERM !== "dumb" && process.stdout.rows > tableLines;
  #begunAt = performance.now();
  #timer;
  #drawnLines = 0;

  /** `gateway()` tells `{ isUp, note }`. */
  constructor(load, gateway) {
    this.#load = load;
    this.#gateway = gateway;
  }

  start() {
    this.#begunAt = performance.now();
    if (this.#isLive) {
      process.stdout.write("\u001b[?25l");
      process.on("exit", showCursor);
    }
    this.#draw();
    this.#timer = setInterval(() => this.#draw(), this.#isLive ? redrawMs : lineMs);
  }

  stop() {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#draw();
    if (this.#isLive) showCursor();
  }

  #draw() {
    if (!this.#isLive) return console.log(this.#line());
    const lines = this.#table();
    const up = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}A` : "";
    process.stdout.write(`${up}${lines.map((line) => `\u001b[2K${line}\n`).join("")}`);
    this.#drawnLines = lines.length;
  }

  #counts(letters) {
    const of = (wanted) => letters.filter(({ stage }) => stage === wanted).length;
    return { waiting: of("waiting"), running: of("running"), ended: of("ended"), unsent: of("unsent") };
  }

  #seconds() {
    return ((performance.now() - this.#begunAt) / 1_000).toFixed(1);
  }

  #line() {
    const { letters, accepted } = this.#load;
    const { waiting, running, ended } = this.#counts(letters);
    const { note } = this.#gateway();
    const byPriority = priorities
      .map(
        (priority) =>
          `${priority}:${this.#counts(letters.filter((each) => each.priority === priority)).ended}`,
      )
      .join(" ");
    const counts = `accepted ${accepted}/${letters.length}  waiting ${waiting}  running ${running}  ended ${ended}`;
    return `${this.#seconds().padStart(6)} s  gateway ${note.padEnd(24)} ${counts}  ended by priority ${byPriority}`;
  }

  #table() {
    const { letters, accepted } = this.#load;
    const { isUp, note } = this.#gateway();
    const lamp = isUp ? green(`● ${note}`) : red(`✖ ${note}`);
    const most = Math.max(
      ...priorities.map((priority) => letters.filter((each) => each.priority === priority).length),
      1,
    );
    const barWidth = Math.max(10, Math.min(48, (process.stdout.columns ?? 80) - 48));
    const all = this.#counts(letters);
    const rows = priorities.map((priority) => {
      const counts = this.#counts(letters.filter((each) => each.priority === priority));
      const title = `${String(priority).padStart(3)} ${(names[priority] ?? "").padEnd(11)}`;
      return ` ${title}${bar(counts, barWidth / most, barWidth)} ${cells(counts)}`;
    });
    return [
      ` gateway ${lamp}`,
      ` ${dim(`${this.#seconds()} s, ${accepted} of ${letters.length} notes accepted`)}`,
      "",
      ` ${bold("priority".padEnd(15))}${" ".repeat(barWidth)} ${dim("waiting running   ended")}`,
      ...rows,
      ` ${"".padEnd(15)}${" ".repeat(barWidth)} ${bold(cells(all))}`,
    ];
  }
}

function bar({ waiting, running, ended, unsent }, scale, width) {
  const parts = [
    [ended, green, "█"],
    [running, yellow, "▓"],
    [waiting, cyan, "░"],
    [unsent, dim, "·"],
  ];
  let text = "";
  let count = 0;
  let drawn = 0;
  for (const [size, colour, sign] of parts) {
    count += size;
    const until = Math.round(count * scale);
    text += colour(sign.repeat(until - drawn));
    drawn = until;
  }
  return text + " ".repeat(Math.max(0, width - drawn));
}

function cells({ waiting, running, ended }) {
  return [waiting, running, ended].map((count) => String(count).padStart(7)).join(" ");
}

function showCursor() {
  process.stdout.write("\u001b[?25h");
}
