import type { GrantView } from "../history.ts";
import type { MakeJudge } from "../replay.ts";

/** Refusals that say nothing against the task itself. */
const PASSING = [
  "STORE_UNAVAILABLE",
  "STORE_FULL",
  "QUEUE_FULL",
  "STOPPING",
  "CLOSED",
  "MODEL_UNKNOWN",
  "OPERATION_UNKNOWN",
  "ADAPTER_FAILED",
];

const nameOf = ({ id, attempt, server, kind }: GrantView): string => `${kind} ${id}/${attempt} on ${server}`;

/** A repeated exchange is the same exchange, and a batch is as good as its items. */
export const judgeExchanges: MakeJudge = (report) => {
  const given = new Map<string, Map<string, GrantView>>();
  const offered = new Map<string, boolean>();
  return {
    see(event, world) {
      if (event.kind === "offered") offered.set(event.id, event.isValid);
      else if (event.kind === "refused") {
        if (offered.get(event.id) === true && !PASSING.includes(event.code)) {
          report("batch-harmed", `a good item was refused: ${event.code}`, { id: event.id });
        }
      } else if (event.kind === "accepted") {
        if (offered.get(event.id) === false)
          report("batch-harmed", "a bad item was accepted", { id: event.id });
      } else if (event.kind === "exchange" || event.kind === "claim") {
        const holder = `${event.runner}/${event.incarnation}`;
        const key = `${holder}/${event.sequence}`;
        const known = given.get(key);
        const now = new Map(event.grants.map((grant) => [nameOf(grant), grant]));
        if (event.kind === "claim" || known === undefined) {
          given.set(key, new Map([...(known ?? []), ...now]));
          return;
        }
        for (const [name, { id }] of now) {
          if (!known.has(name))
            report("exchange-not-repeatable", `the repeated exchange also gave ${name}`, { id });
        }
        for (const [name, { id, attempt }] of known) {
          const row = world.rows.get(id);
          if (!now.has(name) && row?.attempt === attempt && row.holder === holder) {
            report("exchange-not-repeatable", `the repeated exchange did not give ${name} again`, { id });
          }
        }
      }
    },
  };
};
