// A certificate for 127.0.0.1 that is its own authority, so that servers offer TLS and clients can check it for real.

import { join } from "node:path";
import { runTool } from "./daemon.mjs";

/** Writes `tls.crt` and `tls.key` into `folder`, for `user`, and resolves to their paths. */
export async function makeCertificate(folder, user) {
  const certificate = join(folder, "tls.crt");
  const key = join(folder, "tls.key");
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const out = ["-keyout", key, "-out", certificate, "-days", "3650"];
  await runTool("openssl", ["req", "-x509", ...curve, ...subject, ...out], { user, cwd: folder });
  return { certificate, key };
}
