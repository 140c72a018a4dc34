import { randomBytes } from "node:crypto";
import Dockerode from "dockerode";

/** A part of the tests' engine that no other test sees: its labels have another key, and its models other names. */
export interface EnginePart {
  readonly docker: Dockerode;
  /** For what the names of models begin with. */
  readonly id: string;
  /** Key of the label of its model servers. */
  readonly label: string;
  /** Settings by which a gateway finds and deploys servers there. */
  readonly settings: {
    readonly docker: Readonly<Record<string, unknown>>;
    readonly cms: Readonly<Record<string, unknown>>;
  };
  /** Names of the containers of this part. */
  names(): Promise<readonly string[]>;
  /** Removes every container of this part. */
  close(): Promise<void>;
}

export function openEnginePart(socketPath: string, image: string): EnginePart {
  const id = `t${randomBytes(4).toString("hex")}`;
  const label = `test.modelgate.${id}`;
  // An explicit path would give way to the variable (docker-modem).
  const { DOCKER_HOST: _, ...environment } = process.env;
  process.env = environment;
  const docker = new Dockerode({ socketPath });
  const list = () => docker.listContainers({ all: true, filters: { label: [label] } });
  return {
    ...{ docker, id, label },
    settings: {
      docker: { enabled: true, socket: socketPath, labels: { modelServe: label } },
      cms: { image, program: ["/usr/bin/node", "/app/test-server.mjs"], volumes: {}, pull: "never" },
    },
    async names() {
      return (await list()).map(({ Names }) => Names[0]?.slice(1) ?? "");
    },
    async close() {
      const all = await list();
      await Promise.all(all.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })));
    },
  };
}
