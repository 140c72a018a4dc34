import { createServer } from "node:net";
import { type GatewayClient, Refused } from "../client/gateway-client.ts";
import { CommandError } from "../command-error.ts";
import { EXIT } from "../exit-codes.ts";
import type { Settings } from "../settings/settings.ts";
import { codeOf, type Finding, fail, ok } from "./finding.ts";

const CHECK = "port";

export interface PortReport {
  readonly finding: Finding;
  /** Whether a gateway answers there. */
  readonly isGateway: boolean;
}

/** The port is free, or a healthy gateway has it. */
export async function checkPort(client: GatewayClient, { host, port }: Settings): Promise<PortReport> {
  const at = `${port} of ${host}`;
  if (port === 0) return { finding: ok(CHECK, "a free one will be taken"), isGateway: false };
  const bound = await tryToListen(host, port);
  if (bound === undefined) return { finding: ok(CHECK, `${at} is free`), isGateway: false };
  if (bound !== "EADDRINUSE") {
    const hint =
      bound === "EACCES"
        ? "ports below 1024 need rights; choose another --port"
        : "give an address of this machine by --host";
    return { finding: fail(CHECK, `${at} cannot be used (${bound})`, hint), isGateway: false };
  }
  try {
    await client.json({ path: "/health" });
    return { finding: ok(CHECK, `a healthy gateway answers at ${at}`), isGateway: true };
  } catch (error) {
    if (error instanceof Refused) {
      const hint = "look at its log, and at what else is found here";
      return {
        finding: fail(CHECK, `the gateway at ${at} is not healthy: ${error.said}`, hint),
        isGateway: true,
      };
    }
    if (!(error instanceof CommandError) || error.exitCode !== EXIT.unreachable) throw error;
    const hint = "choose another --port, or end what listens there";
    return {
      finding: fail(CHECK, `${at} is in use by something that is no gateway`, hint),
      isGateway: false,
    };
  }
}

/** Resolves to the code of what is in the way; `undefined` when nothing is. */
function tryToListen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => resolve(codeOf(error)));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
