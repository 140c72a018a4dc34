import type { BrokerKind } from "../settings/brokers.ts";
import type { Settings } from "../settings/settings.ts";
import { readPem } from "./read-pem.ts";

/** What brokers take of TLS. */
interface BrokerTls {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly serverName?: string | undefined;
  readonly verify?: boolean | undefined;
}

/** `undefined` leaves it to what the address says. Throws `CommandError` for a file that cannot be read. */
export function brokerTls(settings: Settings, kind: BrokerKind): boolean | BrokerTls | undefined {
  const isEnabled = settings[`${kind}.tls.enabled` as const];
  if (isEnabled === false) return false;
  const verify = settings[`${kind}.tls.verify` as const];
  const texts = {
    ca: readPem(settings, `${kind}.tls.caFile`),
    cert: readPem(settings, `${kind}.tls.certFile`),
    key: readPem(settings, `${kind}.tls.keyFile`),
    serverName: settings[`${kind}.tls.serverName` as const],
  };
  const says = !verify || Object.values(texts).some((text) => text !== undefined);
  return says ? { ...texts, verify } : isEnabled;
}
