// The queues that we compare with on PostgreSQL.
import { peersIn } from "../lib/peers.mjs";

export const { load: fromPeers, install: installPeers } = peersIn(new URL("peers/", import.meta.url));
