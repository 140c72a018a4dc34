import type { Kit } from "../kit/kit.ts";
import { lifecycleTests } from "../lifecycle-kit/lifecycle-kit.ts";
import { control } from "./control.ts";
import { callOf, type ServerProtocolFixture, TASK_ID } from "./fixture.ts";
import { outcomes } from "./outcomes.ts";
import { passing } from "./passing.ts";
import { payloads } from "./payloads.ts";

/** What must hold of every `ServerProtocol`. */
export const serverProtocolKit: Kit<ServerProtocolFixture> = {
  contract: "ServerProtocol",
  tests: [
    ...outcomes,
    ...payloads,
    ...control,
    ...passing,
    ...lifecycleTests((fixture: ServerProtocolFixture) => {
      const { protocol, server } = fixture;
      const query = { server, taskId: TASK_ID };
      const call = async (): Promise<void> => {
        const outcome = await protocol.call(callOf(fixture));
        if ("answer" in outcome) await outcome.answer.body[Symbol.asyncIterator]().return?.();
      };
      const hanging = async (): Promise<void> => {
        fixture.act({ act: "hang" });
        await call();
      };
      return {
        ...fixture,
        subject: protocol,
        calls: {
          call: () => {
            fixture.act({ act: "busy" });
            return call();
          },
          probe: () => protocol.probe(server),
          info: async () => {
            const answer = await protocol.info(server);
            await answer?.body[Symbol.asyncIterator]().return?.();
          },
          findRun: () => protocol.findRun(query),
          cancelRun: () => protocol.cancelRun(query),
        },
        pending: fixture.acts.includes("hang") ? { "call of a server that hangs": hanging } : undefined,
      };
    }),
  ],
};
