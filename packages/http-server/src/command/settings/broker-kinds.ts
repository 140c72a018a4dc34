import { text, textThat, yesOrNo } from "./kinds.ts";
import { textList } from "./list-kinds.ts";
import { EVERY_ROLE, type Setting } from "./setting.ts";
import { shownAddress } from "./shown-address.ts";

const commands = EVERY_ROLE;

function addressFix(scheme: string, path: string): string {
  return `give ${scheme}://USER:PASSWORD@HOST:PORT/${path}, with percent signs for what a URL cannot hold`;
}

/** Whether a text is an address of one of these schemes, and names a host. */
function isAddress(given: string, schemes: readonly string[]): boolean {
  if (!URL.canParse(given)) return false;
  const { protocol, hostname } = new URL(given);
  return hostname !== "" && schemes.some((scheme) => protocol === `${scheme}:`);
}

/** An address that may hold a password; `path` is what follows the host. */
export function brokerAddress(schemes: readonly string[], path: string) {
  return textThat("URL", "address", (given) => isAddress(given, schemes), addressFix(schemes[0] ?? "", path));
}

/** Several of them. */
export function brokerAddresses(schemes: readonly string[], path: string) {
  return textList(
    "URL",
    "addresses",
    (given) => isAddress(given, schemes),
    addressFix(schemes[0] ?? "", path),
  );
}

export function shownAddresses(addresses: readonly string[]): string {
  return addresses.map(shownAddress).join(",");
}

/** What names in a broker begin with. */
export const brokerPrefix = textThat(
  "PREFIX",
  "1 to 64 of `A-Z`, `a-z`, `0-9`, `_`, `.`, `:` and `-`",
  (prefix) => /^[A-Za-z0-9_.:-]{1,64}$/.test(prefix),
  "give 1 to 64 of A-Z, a-z, 0-9, _, ., : and -",
);

type Yes = Setting<boolean>;
type Text = Setting<string>;

/** How a broker is spoken to over TLS. */
export function tlsSettings<const Name extends string>(name: Name, scheme: string) {
  const settings = {
    enabled: {
      kind: yesOrNo,
      defaultText: `what the address says; \`true\` when another of \`${name}.tls\` is given`,
      commands,
      text: `whether the connection is encrypted, as ${scheme}:// says too`,
    },
    caFile: {
      kind: text("FILE"),
      defaultText: "what Node trusts",
      commands,
      text: "certificates that the server's is checked by, as PEM",
    },
    certFile: {
      kind: text("FILE"),
      defaultText: "none",
      commands,
      text: "certificate of this client, as PEM",
    },
    keyFile: { kind: text("FILE"), defaultText: "none", commands, text: "its private key, as PEM" },
    serverName: {
      kind: text("NAME"),
      defaultText: "the host's",
      commands,
      text: "name that the server's certificate has to have",
    },
    verify: {
      kind: yesOrNo,
      default: true,
      commands,
      text: "whether the server's certificate is checked",
    },
  } as const satisfies Record<string, Yes | Text>;
  return Object.fromEntries(
    Object.entries(settings).map(([key, setting]) => [`${name}.tls.${key}`, setting]),
  ) as { readonly [Key in keyof typeof settings as `${Name}.tls.${Key}`]: (typeof settings)[Key] };
}
