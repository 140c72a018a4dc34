// What the demo prints when all is over: some notes with what was found beside them, and the sums.

import { percentile, waitMsOf } from "./judge.mjs";
import { blue, bold, cyan, dim, green, magenta, padEnd, red, widthOf, yellow } from "./style.mjs";

const colours = {
  PERSON: magenta,
  PLACE: green,
  ORGANISATION: blue,
  DATE: cyan,
  TIME: cyan,
  DURATION: cyan,
};

/** Prints some notes, each with the entities that the model found beside its text. */
export function printSamples(letters, count) {
  const candidates = letters
    .map((letter) => ({ letter, found: annotationsOf(letter) }))
    .filter(({ letter, found }) => found.length >= 5 && found.length <= 8 && letter.text.length < 330);
  // Spread over all, so that not the first few of the same kind are shown.
  const step = Math.max(1, Math.floor(candidates.length / count));
  const chosen = candidates.filter((_, index) => index % step === 0).slice(0, count);
  for (const { letter, found } of chosen) {
    console.log(
      `\n ${bold(`Note ${letter.number}`)} ${dim(`priority ${letter.priority}, task ${[...letter.uuids][0]}`)}`,
    );
    printBeside(letter.text, found);
  }
}

function annotationsOf({ result }) {
  return result === undefined ? [] : JSON.parse(result).annotations;
}

function printBeside(text, found) {
  const side = found.map(({ label_id, label_name, text: span }) => {
    return `${(colours[label_id] ?? yellow)(label_name.padEnd(15))} ${span.replaceAll(/\s+/g, " ")}`;
  });
  const width = Math.max(30, Math.min(64, (process.stdout.columns ?? 100) - 46));
  const left = wrap(wordsOf(text, found), width);
  for (let row = 0; row < Math.max(left.length, side.length); row += 1) {
    const { plain, shown } = left[row] ?? { plain: "", shown: "" };
    console.log(
      `   ${shown}${" ".repeat(Math.max(0, width - widthOf(plain)))} ${dim("│")} ${side[row] ?? ""}`,
    );
  }
}

/** The text's words, each in the colour of the entity that it is in; offsets count code points. */
function wordsOf(text, found) {
  const words = [];
  let at = 0;
  for (const word of text.split(/(\s+)/)) {
    const end = at + [...word].length;
    const entity = found.find((each) => each.start < end && each.end > at);
    if (word.includes("\n")) words.push("\n");
    else if (word.trim() !== "")
      words.push({ word, colour: entity ? (colours[entity.label_id] ?? yellow) : undefined });
    at = end;
  }
  return words;
}

function wrap(words, width) {
  const lines = [{ plain: "", shown: "" }];
  for (const item of words) {
    let line = lines.at(-1);
    if (item === "\n") {
      if (line.plain !== "") lines.push({ plain: "", shown: "" });
      continue;
    }
    const { word, colour } = item;
    if (line.plain !== "" && widthOf(line.plain) + 1 + widthOf(word) > width) {
      line = { plain: "", shown: "" };
      lines.push(line);
    }
    const gap = line.plain === "" ? "" : " ";
    line.plain += gap + word;
    line.shown += gap + (colour ? colour(word) : word);
  }
  return lines.filter(({ plain }) => plain !== "");
}

/** Prints how long notes took by priority, and what was checked. */
export function printSummary({ letters, verdict, kills, seconds, seed }) {
  console.log(`\n ${bold("From acceptance to result")}\n`);
  console.log(
    ` ${dim(`${"priority".padEnd(12)}${"notes".padStart(7)}${"p50".padStart(10)}${"p95".padStart(10)}`)}`,
  );
  for (let priority = 10; priority >= 0; priority -= 1) {
    const waits = letters.filter((letter) => letter.priority === priority && letter.task).map(waitMsOf);
    if (waits.length === 0) continue;
    const cells = [percentile(waits, 0.5), percentile(waits, 0.95)].map(
      (ms) => `${(ms / 1_000).toFixed(2)} s`,
    );
    const times = cells.map((cell) => cell.padStart(10)).join("");
    console.log(` ${String(priority).padEnd(12)}${String(waits.length).padStart(7)}${times}`);
  }

  const { accepted, ended, lost, double, wrong, submittedAgain, readAgain, mismatches } = verdict;
  const rows = [
    ["accepted", accepted, accepted === letters.length],
    ["ended with a result", ended, ended === letters.length],
    ["lost", lost, lost === 0],
    ["double", double, double === 0],
    ["other than the model's own answer", wrong, wrong === 0],
    ["submitted again by their clients", submittedAgain],
    ["sent again to the model", readAgain],
    ["gateways killed with kill -9", kills],
  ];
  console.log(`\n ${bold("What was checked")}\n`);
  for (const [name, value, isRight] of rows) {
    const mark = isRight === undefined ? " " : isRight ? green("✓") : red("✗");
    console.log(` ${padEnd(name, 36)}${String(value).padStart(6)}  ${mark}`);
  }
  if (mismatches.length === 0) {
    const promise = "Every note was accepted once, ended once and has the model's own answer.";
    console.log(`\n ${green("✓")} ${bold(promise)} ${dim(`${seconds.toFixed(1)} s`)}\n`);
    return;
  }
  console.log(`\n ${red("✗")} ${bold("This did not hold")} ${dim(`(--seed ${seed})`)}`);
  for (const sentence of mismatches) console.log(`   ${sentence}`);
  console.log();
}
