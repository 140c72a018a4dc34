import { createGateway, type Gateway, type ObjectStore } from "@modelgate/core";
import { memoryDiscovery, memoryProtocol } from "@modelgate/core/memory";

/** A gateway that keeps payloads and results in `objects`, in front of a model that turns texts around. */
export function gatewayWith(objects: ObjectStore): Gateway {
  return createGateway({
    objects,
    discovery: memoryDiscovery([
      { id: "one", url: "memory:one", models: ["mirror"], protocol: "memory", state: "ready" },
    ]),
    protocols: [
      memoryProtocol({
        operations: { process: { repeatable: true } },
        handle: async (call) => [...(await call.text())].reverse().join(""),
      }),
    ],
    // What is larger goes to the object store; 0 sends all of it there.
    inlineBytes: 1024,
  });
}
