import { once } from "node:events";
import type { ByteStream } from "@modelgate/core";
import { EXIT } from "../exit-codes.ts";

/** Ends the process as other programs end when whoever read their output, such as `head`, has gone. */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? EXIT.outputClosed : EXIT.failed);
  });
  process.stderr.on("error", () => {});
}

export async function writeOut(text: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

export async function writeJson(value: unknown): Promise<void> {
  await writeOut(`${JSON.stringify(value, null, 2)}\n`);
}

/** At the reader's pace. */
export async function streamOut(body: ByteStream): Promise<void> {
  for await (const chunk of body) await writeOut(chunk);
}

export function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
