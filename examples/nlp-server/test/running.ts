import { createHash } from "node:crypto";
import { createNlpServer, type NlpServer, type NlpServerOptions, type StatsSnapshot } from "../src/server.ts";

/** A server on a free port, with what the tests ask of it. */
export interface Running {
  url: string;
  server: NlpServer;
  post(path: string, body: string | Buffer, contentType?: string, signal?: AbortSignal): Promise<Response>;
  fault(fault: unknown): Promise<Response>;
  stats(): Promise<StatsSnapshot>;
  close(): Promise<void>;
}

export async function start(options: NlpServerOptions = {}): Promise<Running> {
  const server = createNlpServer({ drainMs: 200, ...options });
  const { url } = await server.listen();
  return {
    url,
    server,
    post: (path, body, contentType = "text/plain", signal) =>
      fetch(url + path, {
        method: "POST",
        headers: { "content-type": contentType },
        body,
        ...(signal && { signal }),
      }),
    fault: (fault) => fetch(`${url}/_faults`, { method: "POST", body: JSON.stringify(fault) }),
    stats: async () => (await (await fetch(`${url}/_stats`)).json()) as StatsSnapshot,
    close: () => server.close(),
  };
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Waits until something holds, and fails after ten seconds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("It did not come to hold within ten seconds.");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
