import type { RabbitmqInspection, RabbitmqProblem } from "@modelgate/adapters-storage/rabbitmq";
import { printable } from "../output/printable.ts";
import { whereToGive } from "../settings/names.ts";
import type { Settings } from "../settings/settings.ts";
import { rabbitmqOptions } from "../stores/rabbitmq-options.ts";
import { hostOf, optionKey } from "../stores/store-failure.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";
import { isOnThisMachine } from "./is-on-this-machine.ts";

const CHECK = "RabbitMQ";

/** Looks at RabbitMQ as the broker would meet it. Throws `CommandError` for a file that cannot be read. */
export async function checkRabbitmq(settings: Settings): Promise<readonly Finding[]> {
  return (await lookAtRabbitmq(settings)).findings;
}

export async function lookAtRabbitmq(
  settings: Settings,
): Promise<{ readonly problems: RabbitmqInspection["problems"]; readonly findings: readonly Finding[] }> {
  const { inspectRabbitmq } = await import("@modelgate/adapters-storage/rabbitmq");
  const seen = await inspectRabbitmq(rabbitmqOptions(settings));
  return { problems: seen.problems, findings: rabbitmqFindings(seen, settings) };
}

/** What an inspection says to whoever runs the gateway. */
function rabbitmqFindings(seen: RabbitmqInspection, settings: Settings): Finding[] {
  const problems = seen.problems.map((problem) => findingOf(problem, seen, settings));
  if (!seen.isReached) return problems;
  return [ok(CHECK, greeting(seen, settings)), ...problems, ...checkTls(seen, settings)];
}

function findingOf(
  { message, field, code }: RabbitmqProblem,
  { isReached, vhost = "/", user }: RabbitmqInspection,
  settings: Settings,
): Finding {
  const text = `at ${placeOf(settings)}: ${printable(message)}`;
  // An old one is not tried, which is no proof that it does not work.
  if (code === "UNSUPPORTED") return warn(CHECK, text, "use RabbitMQ 3.10 or newer");
  if (isReached && field === "username") {
    const names = `'^${settings["rabbitmq.prefix"].replaceAll(".", "\\.")}\\.'`;
    const rights = `rabbitmqctl set_permissions -p ${vhost} ${user ?? "USER"} ${names} ${names} ${names}`;
    return fail(CHECK, text, printable(`run: ${rights}`));
  }
  const key = field === undefined ? undefined : optionKey("rabbitmq", field);
  if (key !== undefined) return fail(CHECK, text, `mend ${whereToGive(key)}`);
  const hint = isReached ? "look at the log of RabbitMQ" : `start it, or mend ${whereToGive("rabbitmq.url")}`;
  return fail(CHECK, text, hint);
}

function placeOf(settings: Settings): string {
  return addressesOf(settings).map(hostOf).join(", ");
}

function addressesOf(settings: Settings): readonly string[] {
  return [settings["rabbitmq.url"] ?? settings["rabbitmq.urls"] ?? []].flat();
}

function greeting(seen: RabbitmqInspection, settings: Settings): string {
  const { product, serverVersion, vhost, tls, queueType, connectMs = 0 } = seen;
  const by = tls === undefined || tls === "none" ? "in the clear" : `by ${tls}`;
  const what = printable([product ?? CHECK, serverVersion].filter(Boolean).join(" "));
  const where = `${placeOf(settings)}, vhost ${printable(vhost ?? "?")}`;
  const queues = queueType === undefined ? "" : `, queues are ${queueType}`;
  return `${what} answers at ${where}, ${by}, in ${Math.round(connectMs)} ms${queues}`;
}

function checkTls({ tls }: RabbitmqInspection, settings: Settings): Finding[] {
  if (tls !== "none" || addressesOf(settings).every(isOnThisMachine)) return [];
  const text = "names of models and ids of tasks can be read on the way, as nothing encrypts them";
  return [warn(CHECK, text, `set ${whereToGive("rabbitmq.tls.enabled")} to true`)];
}
