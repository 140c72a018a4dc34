import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import type { Closable } from "../../../../src/contracts/common.ts";
import { GatewayError } from "../../../../src/errors.ts";
import type { LifecycleFixture } from "../../../../src/testing/lifecycle-kit/lifecycle-kit.ts";
import type { PlantedFault } from "./failing-tests.ts";

/** Something small that holds a socket, calls that go on for long, and what it was handed. */
class Listener implements Closable {
  readonly handed: Set<string>;
  protected isClosed = false;
  readonly #server: Server = createServer();
  readonly #waiting = new Set<(error: unknown) => void>();

  constructor(handed: Set<string>) {
    this.handed = handed;
  }

  get isListening(): boolean {
    return this.#server.listening;
  }

  async listen(): Promise<void> {
    this.check();
    if (this.#server.listening) return;
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.handed.add("listened");
  }

  async connection(): Promise<void> {
    this.check();
    await new Promise<void>((_resolve, reject) => this.#waiting.add(reject));
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.endWaiting();
    this.stopListening();
  }

  protected check(): void {
    if (this.isClosed) throw closed();
  }

  protected endWaiting(): void {
    for (const reject of this.#waiting) reject(closed());
  }

  protected stopListening(): void {
    this.#server.close();
  }

  /** For the fixture, which leaves nothing open whatever the fault. */
  end(): void {
    this.#server.close();
    this.endWaiting();
  }
}

function closed(): GatewayError {
  return new GatewayError("CLOSED", "the listener is closed");
}

/** A process of the same kind in so many words: Node 20 runs no TypeScript. */
async function runScript(script: string): Promise<number | null> {
  const child = spawn(process.execPath, ["-e", script], { stdio: "ignore" });
  const timer = setTimeout(() => child.kill("SIGKILL"), 3000);
  const [code] = (await once(child, "exit")) as [number | null];
  clearTimeout(timer);
  return code;
}

export function openListener(
  make: (handed: Set<string>) => Listener = (handed) => new Listener(handed),
  script: string = "const s = require('net').createServer().listen(0, () => s.close());",
): LifecycleFixture {
  const handed = new Set<string>();
  const subject = make(handed);
  return {
    subject,
    calls: { listen: () => subject.listen() },
    pending: { connection: () => subject.connection() },
    async handedIn() {
      if (!handed.has("listened")) throw new Error("what was handed in was emptied");
    },
    held: () => (subject.isListening ? 1 : 0),
    processThatCloses: () => runScript(script),
    close: async () => subject.end(),
  };
}

export const LIFECYCLE_FAULTS: readonly PlantedFault<LifecycleFixture>[] = [
  {
    fault: "cannot be closed twice",
    breaks: "close resolves, also when it is called again, and when nothing was called before",
    open: () =>
      openListener((handed) => {
        return new (class extends Listener {
          #isOver = false;
          override async close(): Promise<void> {
            if (this.#isOver) throw new Error("it is not open");
            await super.close();
            setImmediate(() => {
              this.#isOver = true;
            });
            await new Promise((resolve) => setImmediate(resolve));
          }
        })(handed);
      }),
  },
  {
    fault: "cannot be closed by two at once",
    breaks: "close may be called several times at once",
    open: () =>
      openListener((handed) => {
        return new (class extends Listener {
          #isClosing = false;
          override async close(): Promise<void> {
            if (this.#isClosing) throw new Error("it is being closed");
            this.#isClosing = true;
            await super.close();
            this.#isClosing = false;
          }
        })(handed);
      }),
  },
  {
    fault: "opens again after it was closed",
    breaks: "after close, every method rejects with CLOSED",
    open: () =>
      openListener((handed) => {
        return new (class extends Listener {
          protected override check(): void {}
        })(handed);
      }),
  },
  {
    fault: "forgets those who wait",
    breaks: "what is pending when it is closed settles",
    open: () =>
      openListener((handed) => {
        return new (class extends Listener {
          override async connection(): Promise<void> {
            // Not while it listens: that everything is released is another rule's affair.
            if (!this.isListening) await new Promise(() => {});
          }
        })(handed);
      }),
  },
  {
    fault: "empties what it was handed",
    breaks: "close leaves open what it was handed",
    open: () =>
      openListener((handed) => {
        return new (class extends Listener {
          override async close(): Promise<void> {
            this.handed.clear();
            await super.close();
          }
        })(handed);
      }),
  },
  {
    fault: "goes on listening",
    breaks: "close releases what was opened",
    open: () =>
      openListener((handed) => {
        return new (class extends Listener {
          protected override stopListening(): void {}
        })(handed);
      }),
  },
  {
    fault: "keeps its process alive",
    breaks: "a process that closed it ends by itself",
    open: () => openListener(undefined, "setInterval(() => {}, 1000);"),
  },
];
