import { describeKit, discoveryKit } from "@modelgate/core/testing";
import { describe, it } from "vitest";
import { requireService } from "../../../adapters-storage/test/support/services.ts";
import { tlsOptions } from "../support/test-engine.ts";
import { openFixture } from "./fixture.ts";

const socketPath = requireService("DOCKER_SOCKET") ?? "";
const host = requireService("DOCKER_TLS_HOST") ?? "";
const certificates = requireService("DOCKER_TLS_CERTS") ?? "";
const image = requireService("DOCKER_TEST_IMAGE") ?? "";

describe.skipIf(socketPath === "")("on a real engine", () => {
  describeKit({ describe, it }, discoveryKit, "Docker over a socket", () =>
    openFixture({ connection: { socketPath }, socketPath, image, isRelayed: true }),
  );

  // From elsewhere only published ports can be reached, as a rule.
  describeKit({ describe, it }, discoveryKit, "Docker over TLS", () =>
    openFixture({ connection: tlsOptions(host, certificates), socketPath, image }),
  );
});
