import type { Ledger, SweepReply, SweepRequest } from "../../contracts/ledger.ts";
import type { KitFixture, KitTest } from "../kit/kit.ts";
import type { Elapsing } from "../support/checks.ts";

/** An empty ledger, and what a test may do with the world around it. */
export interface LedgerFixture extends KitFixture, Elapsing {
  readonly ledger: Ledger;
  /** A further client of the same backend: another connection or process. Needed when it claims to be shared. */
  another?: (() => Promise<Ledger>) | undefined;
  /** Closes every client and opens the backend again. Needed when it claims to be durable. */
  reopen?: (() => Promise<Ledger>) | undefined;
  /** Stops a client that `another` gave while the function runs, as a process can be. By default it is left alone. */
  whileStopped?: ((client: Ledger, during: () => Promise<void>) => Promise<void>) | undefined;
  /** Rows of the long walk through a listing. Default 100,000. */
  readonly walkRows?: number | undefined;
}

export type LedgerTest = KitTest<LedgerFixture>;

/** So many clients of one backend. A ledger that is not shared is all of them. */
export async function clientsOf(fixture: LedgerFixture, count: number): Promise<readonly Ledger[]> {
  const clients = [fixture.ledger];
  while (clients.length < count) {
    if (fixture.another !== undefined) clients.push(await fixture.another());
    else if (fixture.ledger.capabilities.shared)
      throw new Error("it claims to be shared, so the fixture must have `another`");
    else clients.push(fixture.ledger);
  }
  return clients;
}

/** Two clients of one backend. */
export async function pairOf(fixture: LedgerFixture): Promise<readonly [Ledger, Ledger]> {
  const [one, other = fixture.ledger] = await clientsOf(fixture, 2);
  return [one ?? fixture.ledger, other];
}

export async function reopened(fixture: LedgerFixture): Promise<Ledger> {
  if (fixture.reopen === undefined)
    throw new Error("it claims to be durable, so the fixture must have `reopen`");
  return await fixture.reopen();
}

export function unlessDurable({ ledger }: LedgerFixture): string | undefined {
  return ledger.capabilities.durable ? undefined : "it does not claim to be durable";
}

export function unlessExact({ ledger }: LedgerFixture): string | undefined {
  return ledger.capabilities.order === "exact" ? undefined : "it claims an order by bands only";
}

const MOST_SWEEPS = 1000;

/** Sweeps until nothing is left to do. */
export async function sweepAll(
  ledger: Pick<Ledger, "sweep">,
  parts: Partial<SweepRequest> = {},
): Promise<Omit<SweepReply, "more">> {
  const all = { returned: [], ended: [], unreferencedKeys: [] } as {
    [Key in keyof Omit<SweepReply, "more">]: SweepReply[Key][number][];
  };
  for (let sweeps = 0; sweeps < MOST_SWEEPS; sweeps += 1) {
    const reply = await ledger.sweep({ limit: 1000, unserved: [], ...parts });
    all.returned.push(...reply.returned);
    all.ended.push(...reply.ended);
    all.unreferencedKeys.push(...reply.unreferencedKeys);
    if (!reply.more) return all;
  }
  throw new Error(`it says after ${MOST_SWEEPS} sweeps that there is more`);
}
