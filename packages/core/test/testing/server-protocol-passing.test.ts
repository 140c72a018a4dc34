import { describe } from "vitest";
import { serverProtocolKit } from "../../src/testing/server-protocol-kit/server-protocol-kit.ts";
import { expectFaultsFound } from "./broken/lifecycle/failing-tests.ts";
import { PASSING_FAULTS } from "./broken/server-protocol/passing-faults.ts";

/** A fault in what goes straight to a server can break only the rules about that. */
const kit = {
  ...serverProtocolKit,
  tests: serverProtocolKit.tests.filter(({ name }) => name.startsWith("pass")),
};

describe("the contract kit of ServerProtocol, about what goes straight to a server", () => {
  expectFaultsFound(kit, PASSING_FAULTS);
});
