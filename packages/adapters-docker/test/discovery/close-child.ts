import { dockerDiscovery } from "../../src/discovery/index.ts";

const [socketPath = ""] = process.argv.slice(2);
const discovery = dockerDiscovery({ socketPath, project: "nobody", probe: async () => ({ ready: true }) });
await discovery.watch(() => {});
await discovery.refresh();
await discovery.close();
