import { describe } from "vitest";
import { serverProtocolKit } from "../../src/testing/server-protocol-kit/server-protocol-kit.ts";
import { expectFaultsFound } from "./broken/lifecycle/failing-tests.ts";
import { PROTOCOL_FAULTS } from "./broken/server-protocol/broken-protocols.ts";

describe("the kit of server protocols", () => {
  expectFaultsFound(serverProtocolKit, PROTOCOL_FAULTS);
});
