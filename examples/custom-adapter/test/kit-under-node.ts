import { describe, it } from "node:test";
import { describeKit, objectStoreKit } from "@modelgate/core/testing";
import { openFixture } from "../src/fixture.ts";

describeKit({ describe, it }, objectStoreKit, "journal", openFixture);
