import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { HttpContext } from "../context.ts";
import type { ResponseView, Route } from "../exchange.ts";
import { splitTarget } from "../query.ts";
import type { Router } from "../router.ts";
import { asksForWebSocket } from "../routes/pass.ts";
import { joinConnections } from "./join-connections.ts";
import { originForm } from "./listener.ts";
import { NodeRequestView } from "./node-request.ts";
import { sendResponse } from "./send-response.ts";
import { hasTooManyHeaders, tooManyHeaders } from "./too-many-headers.ts";
import { UpgradingClient, whenAnswered } from "./upgrading-client.ts";

/**
 * Takes the connection of a request for a WebSocket that goes to the server of a model. Of every other request it is
 * `false`, and the connection untouched. `mountPath` is what the gateway is mounted below, such as `/gateway`: no host
 * takes that off an upgrade's path.
 */
export type UpgradeListener = (
  incoming: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  mountPath?: string,
) => boolean;

/** Each connection is in `taken` as long as it is open. */
export function upgradeListener(
  context: HttpContext,
  find: Router,
  taken: Set<Duplex> = new Set(),
): UpgradeListener {
  const { onError } = context.options;

  async function serve(
    client: UpgradingClient,
    route: Route,
    params: readonly string[],
    parts: { readonly query: string; readonly mountPath: string },
  ): Promise<void> {
    const { incoming, response, socket } = client;
    const passage = { mountPath: parts.mountPath, awaitsContinue: false, canUpgrade: true };
    const request = new NodeRequestView(incoming, response, parts.query, passage);
    const view = hasTooManyHeaders(incoming) ? tooManyHeaders : await route(request, params);
    const { connection } = view;
    if (connection === undefined) return await sendResponse(view, incoming, response, true);
    if (socket.destroyed) return void connection.destroy();
    const early = client.release();
    socket.write(headOf(view), "latin1");
    if (early.byteLength > 0) connection.write(early);
    joinConnections(socket, connection);
  }

  return (incoming, socket, head, mountPath = "") => {
    const { method = "", headers } = incoming;
    if (!asksForWebSocket({ method, header: (name) => headers[name] as string | undefined })) return false;
    const { path, query } = splitTarget(originForm(incoming.url ?? "/"));
    if (!path.startsWith(mountPath)) return false;
    const found = find(method, path.slice(mountPath.length), query);
    if (found.route === undefined || !found.isRest) return false;
    const { route, params } = found;
    taken.add(socket);
    socket.once("close", () => taken.delete(socket));
    whenAnswered(socket, () => {
      const client = new UpgradingClient(incoming, socket as Socket, head);
      serve(client, route, params, { query, mountPath }).catch((error: unknown) => {
        onError(error);
        socket.destroy();
      });
    });
    return true;
  };
}

function headOf({ status, headerList = [] }: ResponseView): string {
  const lines = headerList.map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n`;
}
