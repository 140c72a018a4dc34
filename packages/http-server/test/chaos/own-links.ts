import type { StageService } from "./stage.ts";
import { TcpLink } from "./tcp-link.ts";

type Env = Readonly<Record<string, string>>;

/** What one part of a stage adds to it. */
export interface Part {
  readonly service?: StageService;
  env(process: string): Env;
  readonly close: () => Promise<void>;
}

/** A link to a service for each process. */
export async function openLinks(
  service: string,
  target: { readonly host: string; readonly port: number },
  processes: readonly string[],
): Promise<ReadonlyMap<string, TcpLink>> {
  const links = new Map(
    processes.map((name) => [name, new TcpLink({ name: `${service}:${name}`, target })] as const),
  );
  await Promise.all([...links.values()].map((link) => link.open()));
  return links;
}

/** The same address with the link in place of the server. */
export function through(address: string, link: TcpLink | undefined): string {
  if (link === undefined) throw new Error("a process has no link to a service that it needs");
  const url = new URL(address);
  url.hostname = "127.0.0.1";
  url.port = String(link.port);
  return url.href.replace(/\/$/, "");
}

export function closeAll(links: ReadonlyMap<string, TcpLink>): void {
  for (const link of links.values()) link.close();
}
