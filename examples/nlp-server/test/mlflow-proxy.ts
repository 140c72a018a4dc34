import { createServer, request as send } from "node:http";
import type { AddressInfo } from "node:net";

/** What stands before MLflow, as nginx does in front of a real one: it can be shut, and can ask for a password. */
export interface MlflowProxy {
  url: string;
  isShut: boolean;
  close(): Promise<void>;
}

export async function openProxy(target: string, authorization?: string): Promise<MlflowProxy> {
  const server = createServer((request, response) => {
    if (proxy.isShut) return request.socket.destroy();
    if (authorization !== undefined && request.headers.authorization !== authorization) {
      return response.writeHead(401, { "content-type": "text/html" }).end("<h1>401 Unauthorized</h1>");
    }
    const { method, headers } = request;
    const onward = send(new URL(request.url ?? "/", target), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    return request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const proxy = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, isShut: false, close };
  return proxy;
}
