import { describeKit, objectStoreKit } from "@modelgate/core/testing";
import { describe, it } from "vitest";
import { openFixture } from "../src/fixture.ts";

describeKit({ describe, it }, objectStoreKit, "journal", openFixture);
