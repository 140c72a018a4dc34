import { CommandError } from "../command-error.ts";
import type { Finding } from "../doctor/finding.ts";
import { EXIT } from "../exit-codes.ts";
import type { Log } from "../log.ts";
import { BROKER_NAMES, type BrokerKind, brokersOf, queueKind } from "../settings/brokers.ts";
import type { Settings } from "../settings/settings.ts";
import { type BrokerProblem, isPassingProblem } from "./broker-problem.ts";

interface LookOptions {
  readonly settings: Settings;
  readonly log: Pick<Log, "warn">;
  readonly signal: AbortSignal;
}

/** What a look at a broker comes to. */
interface Look {
  readonly problems: readonly BrokerProblem[];
  readonly findings: readonly Finding[];
}

/**
 * Tries every broker once. One that is away is a line of the log and no more, as whatever it keeps may be lost; what
 * nobody but an operator mends, such as a password, rejects with `CommandError`.
 */
export async function lookAtBrokers({ settings, log, signal }: LookOptions): Promise<void> {
  for (const kind of brokersOf(settings)) {
    const look = await lookAt(kind, settings);
    signal.throwIfAborted();
    const passing = look.problems.find(isPassingProblem);
    if (passing !== undefined) {
      log.warn(`${passing.message}; ${goingOn(kind, settings)}`);
      continue;
    }
    const fault = look.findings.find(({ level }) => level === "fail");
    if (fault !== undefined)
      throw new CommandError(EXIT.failed, `${fault.check} ${fault.text}; ${fault.hint}`);
  }
}

async function lookAt(kind: BrokerKind, settings: Settings): Promise<Look> {
  if (kind === "redis") {
    const { lookAtRedis } = await import("../doctor/check-redis.ts");
    return await lookAtRedis(settings);
  }
  const { lookAtRabbitmq } = await import("../doctor/check-rabbitmq.ts");
  return await lookAtRabbitmq(settings);
}

/** What a gateway does without this broker. */
function goingOn(kind: BrokerKind, settings: Settings): string {
  const until = `until ${BROKER_NAMES[kind]} is there`;
  if (queueKind(settings) === kind)
    return `the start goes on, and tasks are taken and run in the order of the store ${until}`;
  return `the start goes on, and processes find what is new by looking every pollMs ${until}`;
}
