import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** Whether this process may mount; where it may not, the tests that need it are skipped, and say so. */
export function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), "modelgate-mount-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "none", folder], { stdio: "ignore" });
    execFileSync("umount", [folder]);
    return true;
  } catch {
    console.warn("SKIPPED: no right to mount here, so that full and read-only disks are not tested");
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A disk of its own in memory, which goes with the test. */
export function smallDisk(size: string): string {
  const folder = mkdtempSync(join(tmpdir(), "modelgate-mount-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=700`, "none", folder]);
  onTestFinished(() => {
    execFileSync("umount", ["--lazy", folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

export function setReadOnly(folder: string, isReadOnly: boolean): void {
  execFileSync("mount", ["-o", isReadOnly ? "remount,ro" : "remount,rw", folder]);
}
