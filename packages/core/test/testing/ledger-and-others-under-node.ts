import { describe, it } from "node:test";
import { describeKit } from "../../src/testing/kit/kit.ts";
import { ledgerKit } from "../../src/testing/ledger-kit/ledger-kit.ts";
import { queueKit } from "../../src/testing/queue-kit/queue-kit.ts";
import { taskStoreKit } from "../../src/testing/task-store-kit/task-store-kit.ts";
import { BROKEN_LEDGERS } from "./broken/ledger/broken-ledgers.ts";
import * as ledgers from "./ledger-fixtures.ts";
import * as queues from "./queue-fixtures.ts";
import * as stores from "./task-store-fixtures.ts";

// The kits with the runner that Node brings. With an argument, the ledger has the fault of this name.

const fault = BROKEN_LEDGERS.find((each) => each.fault === process.env["PLANTED_FAULT"]);

describeKit({ describe, it }, ledgerKit, "memory", () => ledgers.sharedFixture(fault?.plant));
describeKit({ describe, it }, taskStoreKit, "memory", () => stores.sharedFixture());
describeKit({ describe, it }, queueKit, "memory", () => queues.sharedFixture());
