import type { S3ObjectStoreOptions } from "@modelgate/adapters-storage/s3";
import type { Settings } from "../settings/settings.ts";
import { readPem } from "./read-pem.ts";

/** What the settings say of S3, for its adapter. Throws `CommandError` for a file that cannot be read. */
export function s3Options(settings: Settings): S3ObjectStoreOptions {
  return {
    endpoint: settings["s3.endpoint"] ?? "",
    bucket: settings["s3.bucket"] ?? "",
    prefix: settings["s3.prefix"],
    region: settings["s3.region"],
    accessKey: settings["s3.accessKey"] ?? "",
    secretKey: settings["s3.secretKey"] ?? "",
    sessionToken: settings["s3.sessionToken"],
    addressing: settings["s3.addressing"],
    partSizeBytes: settings["s3.partSizeBytes"],
    uploadConcurrency: settings["s3.uploadConcurrency"],
    encryption: encryptionOf(settings),
    connectTimeoutMs: settings["s3.connectTimeoutMs"],
    requestTimeoutMs: settings["s3.requestTimeoutMs"],
    retries: settings["s3.retries"],
    tls: { ca: readPem(settings, "s3.caFile"), verify: settings["s3.verify"] },
  };
}

function encryptionOf(settings: Settings): S3ObjectStoreOptions["encryption"] {
  switch (settings["s3.encryption"]) {
    case "none":
      return undefined;
    case "s3":
      return { kind: "s3" };
    case "kms":
      return { kind: "kms", keyId: settings["s3.kmsKeyId"] ?? "" };
  }
}
