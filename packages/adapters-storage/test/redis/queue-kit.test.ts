import { describeKit, queueKit } from "@modelgate/core/testing";
import { describe, it } from "vitest";
import { requireService } from "../support/services.ts";
import { queueFixture } from "./queue-fixture.ts";

const SERVERS = { "Redis 7": "REDIS_URL", "Valkey 8": "VALKEY_URL" } as const;

for (const [name, variable] of Object.entries(SERVERS)) {
  const url = requireService(variable);
  if (url === undefined) describe.skip(name, () => it("needs the server", () => {}));
  else describeKit({ describe, it }, queueKit, name, async () => queueFixture(url));
}
