import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { until } from "./running.ts";

const scripts = new URL("../../../scripts/", import.meta.url);
let folder: string;
let child: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "demo-test-"));
});

afterEach(() => {
  child?.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

interface Demo {
  output(): string;
  exit: Promise<unknown[]>;
}

function run(...args: string[]): Demo {
  const script = fileURLToPath(new URL("demo.mjs", scripts));
  const started = spawn(process.execPath, [script, "--no-build", ...args], {
    env: { ...process.env, TMPDIR: folder, npm_lifecycle_event: "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  child = started;
  let output = "";
  started.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  return { output: () => output, exit: once(started, "exit") };
}

/** Processes that were started below this folder's demo and are still there. */
function processesOf(folder: string): string[] {
  if (!existsSync("/proc")) return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((id) => {
      try {
        return readFileSync(`/proc/${id}/environ`, "utf8").includes(`TMPDIR=${folder}\0`);
      } catch {
        return false;
      }
    });
}

describe("the demo", () => {
  it("loses, doubles and changes nothing over two kills, and leaves nothing behind", async () => {
    const { output, exit } = run("--notes", "60", "--kills", "2", "--seed", "11");
    expect(await exit, output()).toEqual([0, null]);
    for (const line of [
      /^ accepted +60 +✓$/m,
      /^ ended with a result +60 +✓$/m,
      /^ lost +0 +✓$/m,
      /^ double +0 +✓$/m,
      /^ other than the model's own answer +0 +✓$/m,
      /^ gateways killed with kill -9 +2 *$/m,
      /^ +\d+\.\d s {2}gateway killed with kill -9 +accepted \d+\/60/m,
      /Person +Dr\. \w+ \w+$/m,
    ]) {
      expect(output()).toMatch(line);
    }
    // Nothing but plain text goes into a pipe.
    expect(output()).not.toContain("\u001b");
    expect([readdirSync(folder), processesOf(folder)]).toEqual([[], []]);
  }, 60_000);

  it.skipIf(!existsSync("/proc"))(
    "cleans up when it is told to stop in the middle",
    async () => {
      const { output, exit } = run("--notes", "500");
      await until(() => /gateway up .* ended [1-9]/.test(output()));
      expect(readdirSync(folder)).toHaveLength(1);
      expect(processesOf(folder).length).toBeGreaterThanOrEqual(3);
      child?.kill("SIGINT");
      expect(await exit).toEqual([130, null]);
      expect([readdirSync(folder), processesOf(folder)]).toEqual([[], []]);
    },
    60_000,
  );

  it.skipIf(!existsSync("/proc"))(
    "fails, and cleans up, when the model server dies",
    async () => {
      const { output, exit } = run("--notes", "500");
      await until(() => /gateway up .* ended [1-9]/.test(output()));
      const server = processesOf(folder).find((id) => {
        return readFileSync(`/proc/${id}/cmdline`, "utf8").includes("nlp-server");
      });
      process.kill(Number(server), "SIGKILL");
      expect(await exit).toEqual([1, null]);
      expect([readdirSync(folder), processesOf(folder)]).toEqual([[], []]);
    },
    60_000,
  );

  it("says what it does not understand", async () => {
    const { exit } = run("--notes", "many");
    expect(await exit).toEqual([1, null]);
    expect(readdirSync(folder)).toEqual([]);
  });
});

interface Letter {
  number: number;
  priority: number;
  uuids: Set<string>;
  submits: number;
  state: string | undefined;
  isLost: boolean;
  task: { created_at: string; finished_at: string };
  result: string | undefined;
  direct: string;
}

interface Seen {
  letters: Letter[];
  tasks: string[];
  stats: unknown;
  kills: number;
}

type Judge = (seen: Seen) => { mismatches: string[] };

describe("what the demo checks", () => {
  const letters = (): Letter[] =>
    Array.from({ length: 44 }, (_, index) => ({
      number: index + 1,
      priority: 10 - (index % 11),
      uuids: new Set([`task-${index}`]),
      submits: 1,
      state: "succeeded",
      isLost: false,
      task: {
        created_at: "2026-11-20T10:00:00.000000+00:00",
        finished_at: `2026-11-20T10:00:${10 + (index % 11)}.000000+00:00`,
      },
      result: `answer ${index}`,
      direct: `answer ${index}`,
    }));

  async function mismatches(
    change: (letters: Letter[]) => void,
    { readAgain = 0, untold = [] as string[] } = {},
  ): Promise<string[]> {
    const { judge } = (await import(new URL("demo/judge.mjs", scripts).href)) as { judge: Judge };
    const changed = letters();
    change(changed);
    const tasks = [...changed.flatMap(({ uuids }) => [...uuids]), ...untold];
    const stats = { peak: 8, texts: { a: { received: 1 + readAgain } } };
    return judge({ letters: changed, tasks, stats, kills: 1 }).mismatches;
  }

  it("finds nothing wrong where nothing is", async () => {
    expect(await mismatches(() => {})).toEqual([]);
    expect(await mismatches(() => {}, { readAgain: 8 })).toEqual([]);
  });

  it.each<[string, RegExp, (letter: Letter, others: Letter[]) => void]>([
    ["a note that was not accepted", /1 notes were not accepted/, (letter) => letter.uuids.clear()],
    ["a task that is gone", /lost: notes 4/, (letter) => Object.assign(letter, { isLost: true })],
    ["a task that never ended", /lost: notes 4/, (letter) => Object.assign(letter, { state: undefined })],
    ["two tasks for one note", /two tasks for one note: notes 4/, (letter) => letter.uuids.add("x")],
    [
      "one task for two notes",
      /share a task/,
      (letter, [first]) => Object.assign(letter, { uuids: first?.uuids }),
    ],
    ["a failed task", /without success: notes 4/, (letter) => Object.assign(letter, { state: "failed" })],
    [
      "another answer",
      /not what the model answers: notes 4/,
      (letter) => Object.assign(letter, { result: "?" }),
    ],
    [
      "no answer",
      /not what the model answers: notes 4/,
      (letter) => Object.assign(letter, { result: undefined }),
    ],
    [
      "urgent notes that came late",
      /urgent notes took/,
      (_, all) => {
        for (const [index, { task }] of all.entries())
          task.finished_at = `2026-11-20T10:00:${30 - (index % 11)}.000000+00:00`;
      },
    ],
  ])("finds %s", async (_, sentence, change) => {
    const found = await mismatches((all) => change(all[3] as Letter, all));
    expect(found).toEqual([expect.stringMatching(sentence)]);
  });

  it("finds tasks that no client was told of", async () => {
    expect(await mismatches(() => {}, { untold: ["another"] })).toEqual(["1 tasks that no client knows of"]);
  });

  it("finds texts that the model read again without a reason", async () => {
    expect(await mismatches(() => {}, { readAgain: 9 })).toEqual([
      expect.stringMatching(/read 9 texts again/),
    ]);
  });
});
