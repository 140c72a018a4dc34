import { CmgEntries } from "./entries.ts";
import { setMode, setProxy } from "./file-keys.ts";

const DEFAULT = "default of CMG";

export interface CmgKind {
  /** The version before the file: other services' hosts, and servers are called directly. */
  readonly isEarly: boolean;
  /** Where compose publishes it, which is where it is on a host. */
  readonly hostPort: string | undefined;
}

/** What CMG goes by where neither its file nor its variables say anything, and ours would be another thing. */
export function cmgDefaults({ isEarly, hostPort }: CmgKind): CmgEntries {
  const out = new CmgEntries();
  const set = (values: Readonly<Record<string, unknown>>): void => {
    for (const [name, value] of Object.entries(values))
      out.set(name as Parameters<CmgEntries["set"]>[0], value, DEFAULT);
  };
  const port = hostPort ?? 8000;
  set({
    // Its callers are other hosts, its port is that of its container, and whoever reaches it may configure.
    ...{ host: "0.0.0.0", port, url: `http://127.0.0.1:${port}`, openConfigurations: true },
    ...{ "scheduler.port": 8001, "reaper.port": 8002 },
    ...{ "docker.enabled": true, "docker.project": "cms", "docker.network": "cogstack-model-serve_cms" },
    ...{ "docker.port": 8000, "deployments.enabled": true },
    ...{ "cms.gelfInputUri": "http://graylog:12201", "cms.tracking.uri": "http://mlflow-ui:5000" },
    ...{ "cms.tracking.username": "admin", "cms.tracking.password": "password" },
    "cms.tracking.s3.endpointUrl": "http://minio:9000",
  });
  if (isEarly) setMode(out, "name", DEFAULT);
  else {
    setProxy(out, "https://proxy/cms", DEFAULT);
    set({
      "mlflow.url": "http://mlflow-ui:5000",
      "mlflow.username": "admin",
      "mlflow.password": "password",
    });
  }
  return out;
}
