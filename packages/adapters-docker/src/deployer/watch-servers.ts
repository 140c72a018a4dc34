import { systemClock } from "@modelgate/core";
import { sleep } from "@modelgate/core/adapter";
import type { EngineConnection } from "../connection/connection.ts";
import { openEvents } from "../connection/events.ts";
import type { DockerLabels } from "../labels.ts";
import { inspectContainer } from "./containers.ts";

const EVENTS = ["create", "start", "die", "oom", "stop", "pause", "unpause", "rename", "destroy"];
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5000;

/**
 * Calls back at every event of a server of the installation, and whenever events may have been missed. Goes on until
 * the signal is aborted, whatever the engine does.
 */
export async function watchServers(
  connection: EngineConnection,
  labels: DockerLabels,
  installation: string,
  listener: () => void,
  signal: AbortSignal,
): Promise<void> {
  const filters = {
    type: ["container"],
    event: EVENTS,
    label: [`${labels.installation}=${installation}`],
  };
  const tell = (): void => {
    if (signal.aborted) return;
    try {
      listener();
    } catch {
      // A listener has nobody to tell, and the others are to hear on.
    }
  };
  /**
   * The engine tells of a death some 60 ms before its listing does (20.10, each time), and nothing may follow. It answers
   * nobody who asks for the one container until it is done with it.
   */
  const buried = async (id: string): Promise<void> => {
    await inspectContainer(connection, id, { signal }).catch(() => {});
  };
  for (let delayMs = FIRST_DELAY_MS; !signal.aborted; delayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS)) {
    try {
      const { events } = await openEvents(connection, { filters, signal });
      delayMs = FIRST_DELAY_MS;
      tell();
      for await (const { action, id } of events) {
        if (action === "die") void buried(id).then(tell);
        else tell();
      }
    } catch {
      // The engine is away; what else it says does not matter for a hint.
    }
    // Others that lost the same engine are not to come back at the same moment.
    await sleep(systemClock, delayMs * (0.5 + Math.random() / 2), signal).catch(() => {});
  }
}
