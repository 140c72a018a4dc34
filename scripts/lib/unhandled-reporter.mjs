import { writeFileSync } from "node:fs";

/** Writes down how many errors belonged to no test, which vitest's JSON report leaves out. */
// biome-ignore lint/style/noDefaultExport: vitest takes a reporter from the default export of its file.
export default class UnhandledReporter {
  onTestRunEnd(_modules, unhandledErrors) {
    const file = process.env.MODELGATE_TEST_UNHANDLED;
    if (file) writeFileSync(file, `${unhandledErrors.length}`);
  }
}
