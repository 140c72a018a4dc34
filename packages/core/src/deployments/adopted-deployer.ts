import type { AdoptedServer, Deployer } from "../contracts/deployer.ts";
import type { DeploymentBook, Entries } from "./book.ts";
import { identityOf } from "./entry.ts";

/**
 * A deployer that knows which servers were taken over from another gateway: the book alone says so, by the engine's own
 * id, since nothing can be written on a server that is there.
 */
export function withAdopted(deployer: Deployer, book: DeploymentBook): Deployer {
  // Whoever is about to change something has just read the book, and must not be held up between the two.
  const isAdopted = (id: string): boolean =>
    [...book.known.values()].some(({ adoptedId }) => adoptedId === id);
  return {
    capabilities: deployer.capabilities,
    prepare: (spec, identity, options) => deployer.prepare(spec, identity, options),
    create: (spec, identity, options) => deployer.create(spec, identity, options),
    start: (id, options) => deployer.start(id, { ...options, isAdopted: isAdopted(id) }),
    remove: (id, options) => deployer.remove(id, { ...options, isAdopted: isAdopted(id) }),
    list(installation, options = {}) {
      const adopted = adoptedIn(book.known, installation);
      return deployer.list(installation, { ...options, ...(adopted.length > 0 && { adopted }) });
    },
    logs: (id, options) => deployer.logs(id, { ...options, isAdopted: isAdopted(id) }),
    watch: (installation, listener) => deployer.watch(installation, listener),
    close: () => deployer.close(),
  };
}

function adoptedIn(entries: Entries, installation: string): readonly AdoptedServer[] {
  return [...entries.values()].flatMap((entry) =>
    entry.adoptedId === undefined ? [] : [{ ...identityOf(entry, installation), id: entry.adoptedId }],
  );
}
