import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { pidNamespace, statusOf } from "../../scripts/services/proc.mjs";
import { launch, leftOf, noteTree, root, run, stays } from "./launched.ts";

const pg18 = ["--only", "pg18"];
/** Nothing is started, so that what is asked of the command alone takes no time. */
const given = { PG18_URL: "postgres://somewhere:5432/else" };

/** A folder for temporary files of its own, in which the user of a server may go. */
function ownTmp(): string {
  const folder = mkdtempSync(join(tmpdir(), "modelgate-launcher-"));
  run("chmod", ["755", folder]);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function isEmpty(folder: string): Promise<boolean> {
  for (let tries = 0; tries < 150 && readdirSync(folder).length > 0; tries += 1) await sleep(20);
  return readdirSync(folder).length === 0;
}

describe("the launcher", () => {
  it("uses a service that the environment names, and starts none", async () => {
    const launched = launch([...pg18, "--", "sh", "-c", 'echo "sees $PG18_URL"'], given);
    expect(await launched.ended).toEqual({ code: 0, signal: null });
    expect(launched.output()).toContain(`sees ${given.PG18_URL}`);
    expect(launched.output()).toContain("pg18 is given by PG18_URL, so it is not started");
    expect(launched.output()).not.toContain("ready");
  });

  it.each([
    ["code", "exit 7", { code: 7, signal: null }],
    ["signal", "kill -KILL $$", { code: null, signal: "SIGKILL" }],
  ])("ends with the %s of its command", async (_what, script, outcome) => {
    expect(await launch([...pg18, "--", "sh", "-c", script], given).ended).toEqual(outcome);
  });

  it.each([
    [["--only", "pg,oracle"], {}, '--only is "pg,oracle"; give some of pg,pg18'],
    [["--onyl", "pg"], {}, "Unknown option '--onyl'"],
    [["--only", "s3", "--", "true"], { S3_ENDPOINT: "http://x" }, "S3_ACCESS_KEY, S3_SECRET_KEY"],
  ])("refuses %j", async (args, env, sentence) => {
    const launched = launch(args, env);
    expect(await launched.ended).toEqual({ code: 2, signal: null });
    expect(launched.output()).toContain(sentence);
  });

  it("passes on a SIGTERM, waits for its command, and leaves nothing", async () => {
    const TMPDIR = ownTmp();
    const launched = launch(
      [...pg18, "--", "sh", "-c", "trap 'echo told; exit 5' TERM; echo up; while :; do sleep 0.05; done"],
      { TMPDIR },
    );
    await launched.line("up");
    const tree = noteTree(launched.child.pid as number);
    expect(tree.length).toBeGreaterThan(5);
    launched.child.kill("SIGTERM");
    expect(await launched.ended).toEqual({ code: 5, signal: null });
    expect(launched.output()).toContain("told");
    expect(await leftOf(tree)).toEqual([]);
    expect(await isEmpty(TMPDIR)).toBe(true);
  });

  it("prints what is to be exported when there is no command, and stays until it is told", async () => {
    const launched = launch(pg18, { TMPDIR: ownTmp() });
    expect(await launched.line("export PG18_URL=")).toMatch(
      /='postgres:\/\/postgres:\w+@127\.0\.0\.1:\d+\/postgres'$/,
    );
    const tree = noteTree(launched.child.pid as number);
    launched.child.kill("SIGINT");
    expect(await launched.ended).toEqual({ code: null, signal: "SIGINT" });
    expect(await leftOf(tree)).toEqual([]);
  });

  it("is killed, and leaves no process and no folder", async () => {
    const TMPDIR = ownTmp();
    const launched = launch([...pg18, ...stays], { TMPDIR });
    expect(await launched.line("up")).toContain("postgres://");
    const tree = noteTree(launched.child.pid as number);
    launched.child.kill("SIGKILL");
    expect(await leftOf(tree)).toEqual([]);
    expect(await isEmpty(TMPDIR)).toBe(true);
  });

  const words = ["--only", "pg18", ...stays];
  it.each([
    // The last command keeps the shell from giving its place to the launcher.
    [
      "a shell",
      "sh",
      ["-c", `node scripts/services.mjs ${words.map((word) => `'${word}'`).join(" ")}; true`],
    ],
    ["npm", "npm", ["run", "services", "--", ...words]],
  ])("ends when its parent, %s, is killed", async (_name, command, args) => {
    const TMPDIR = ownTmp();
    const parent = run(command, args, { TMPDIR });
    await parent.line("up");
    const tree = noteTree(parent.child.pid as number);
    parent.child.kill("SIGKILL");
    expect(await leftOf(tree)).toEqual([]);
    expect(await isEmpty(TMPDIR)).toBe(true);
  });

  it("takes a server that is paused with it when it is killed", async () => {
    const TMPDIR = ownTmp();
    const script = `
      import { startPostgres } from "${root}scripts/services/index.mjs";
      const server = await startPostgres({ version: 18 });
      await server.pause();
      console.log("paused");
      setInterval(() => {}, 1000);`;
    const launched = run(process.execPath, ["--input-type=module", "-e", script], { TMPDIR });
    await launched.line("paused");
    const tree = noteTree(launched.child.pid as number);
    launched.child.kill("SIGKILL");
    expect(await leftOf(tree)).toEqual([]);
    expect(await isEmpty(TMPDIR)).toBe(true);
  });

  it("removes what a killed one left, and nothing of one that lives", async () => {
    const TMPDIR = ownTmp();
    const folderOf = (pid: number, startedAt: string): string => {
      const path = join(TMPDIR, `modelgate-services-${pidNamespace()}-${pid}-${startedAt}-aBc123`);
      mkdirSync(join(path, "postgres-18-x/data"), { recursive: true });
      return path;
    };
    const own = statusOf(process.pid)?.startedAt as string;
    const lives = folderOf(process.pid, own);
    // The same number, given to another process since.
    const dead = folderOf(process.pid, `${Number(own) - 1}`);
    const launched = launch([...pg18, "--", "true"], { TMPDIR });
    expect(await launched.ended).toEqual({ code: 0, signal: null });
    for (let tries = 0; tries < 150 && existsSync(dead); tries += 1) await sleep(20);
    expect(existsSync(dead)).toBe(false);
    expect(existsSync(lives)).toBe(true);
  });
});
