import { networksOf } from "./container-facts.ts";
import { numberOf, recordOf, recordsOf, textOf } from "./json-fields.ts";

/** One running container as a listing shows it, which is enough to tell whether anything happened to it. */
export interface ListedContainer {
  readonly id: string;
  /** The same as long as its state, names, addresses and ports are. */
  readonly signature: string;
  readonly health: string | undefined;
  /** For how long it has run at most, where the listing says so closely. */
  readonly upForMs: number | undefined;
}

export function listedContainers(listing: unknown): readonly ListedContainer[] {
  return recordsOf(listing).flatMap((found) => {
    const id = textOf(found["Id"]);
    const status = textOf(found["Status"]);
    const signature = [
      textOf(found["State"]),
      found["Names"],
      networksOf(found["NetworkSettings"]),
      portsOf(found),
    ];
    return id === ""
      ? []
      : [
          {
            id,
            signature: JSON.stringify(signature),
            health: healthOf(found, status),
            upForMs: upForMs(status),
          },
        ];
  });
}

/** The order of the ports is another one in every answer. */
function portsOf(found: Readonly<Record<string, unknown>>): readonly string[] {
  return recordsOf(found["Ports"])
    .map(({ IP, PrivatePort, PublicPort, Type }) => {
      return `${textOf(IP)}:${numberOf(PublicPort)}:${numberOf(PrivatePort)}/${textOf(Type)}`;
    })
    .toSorted();
}

/** A field of its own since API 1.52, and part of a text for people before. */
function healthOf(found: Readonly<Record<string, unknown>>, status: string): string | undefined {
  const told = textOf(recordOf(found["Health"])["Status"]);
  if (told !== "") return told === "none" ? undefined : told;
  const inText = /\((healthy|unhealthy|health: starting)\)/.exec(status)?.[1];
  return inText === "health: starting" ? "starting" : inText;
}

/** `Up 5 seconds`, `Up About a minute`, `Up 3 minutes`; hours and more are too rough to tell a restart by. */
function upForMs(status: string): number | undefined {
  if (/^Up Less than a second/i.test(status)) return 1000;
  if (/^Up About a minute/i.test(status)) return 120_000;
  const [, count = "", unit] = /^Up (\d+) (second|minute)s?\b/i.exec(status) ?? [];
  if (unit === undefined) return undefined;
  return (Number(count) + 1) * (unit === "second" ? 1000 : 60_000);
}
