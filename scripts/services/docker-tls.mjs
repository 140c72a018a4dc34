// Certificates for an engine that takes only clients whom its authority knows, in the files that Docker's own clients
// look for: ca.pem, cert.pem and key.pem of the client in one folder.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "./daemon.mjs";

/** Resolves to the folder of the client and the options of the engine, which is at `address`. */
export async function makeTls(folder, address) {
  const client = join(folder, "tls");
  const server = join(folder, "tls-server");
  for (const path of [client, server]) mkdirSync(path, { recursive: true });
  const authority = { certificate: join(client, "ca.pem"), key: join(server, "ca-key.pem") };
  await certify({ cwd: folder, name: "modelgate test authority", ...authority });
  const signed = (path, name, usage, more = []) =>
    certify({
      cwd: folder,
      name,
      certificate: join(path, "cert.pem"),
      key: join(path, "key.pem"),
      more: [
        ...["-CA", authority.certificate, "-CAkey", authority.key],
        ...["-addext", "basicConstraints=critical,CA:FALSE", "-addext", `extendedKeyUsage=${usage}`],
        ...more,
      ],
    });
  await Promise.all([
    signed(client, "client", "clientAuth"),
    signed(server, "engine", "serverAuth", ["-addext", `subjectAltName=IP:${address}`]),
  ]);
  const options = {
    tls: true,
    tlsverify: true,
    tlscacert: authority.certificate,
    tlscert: join(server, "cert.pem"),
    tlskey: join(server, "key.pem"),
  };
  return { client, options };
}

function certify({ cwd, name, certificate, key, more = [] }) {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"];
  const out = ["-keyout", key, "-out", certificate, "-days", "3650"];
  return runTool("openssl", ["req", "-x509", ...curve, "-subj", `/CN=${name}`, ...more, ...out], { cwd });
}
