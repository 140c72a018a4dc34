import { isHttpUrl, oneOf, text, textThat, wholeNumber, yesOrNo } from "./kinds.ts";
import { type SettingTable, STORING } from "./setting.ts";

const MIB = 1024 ** 2;
const HOUR_MS = 3_600_000;
const commands = STORING;

export const S3_SETTINGS = {
  "s3.endpoint": {
    kind: textThat("URL", "address", isEndpoint, "give http://HOST:PORT or https://HOST, without a path"),
    defaultText: "none",
    commands,
    text: "address of the S3 service",
  },
  "s3.bucket": {
    kind: text("NAME"),
    defaultText: "none",
    commands,
    text: "bucket, which has to be there",
  },
  "s3.prefix": {
    kind: textThat(
      "PREFIX",
      "text",
      (prefix) => /^[\w./-]{0,500}$/.test(prefix),
      "give at most 500 letters, digits and _ . / -",
    ),
    default: "",
    defaultText: "none",
    commands,
    text: "what every key begins with",
  },
  "s3.region": {
    kind: text("NAME"),
    default: "us-east-1",
    commands,
    text: "region that requests are signed for",
  },
  "s3.accessKey": {
    kind: text("KEY"),
    defaultText: "none",
    isSecret: true,
    commands,
    text: "access key",
  },
  "s3.secretKey": {
    kind: text("KEY"),
    defaultText: "none",
    isSecret: true,
    commands,
    text: "secret key that belongs to it",
  },
  "s3.sessionToken": {
    kind: text("TOKEN"),
    defaultText: "none",
    isSecret: true,
    commands,
    text: "session token of temporary keys",
  },
  "s3.addressing": {
    kind: oneOf(["path", "virtual-host"], "STYLE"),
    default: "path",
    commands,
    text: "whether the bucket is in the path or in the name of the host",
  },
  "s3.partSizeBytes": {
    kind: wholeNumber(5 * MIB, 512 * MIB),
    default: 8 * MIB,
    unit: "bytes",
    commands,
    text: "parts in which large objects are sent",
  },
  "s3.uploadConcurrency": {
    kind: wholeNumber(1, 16),
    default: 2,
    commands,
    text: "parts of one object that are on their way at once",
  },
  "s3.encryption": {
    kind: oneOf(["none", "s3", "kms"], "KIND"),
    default: "none",
    commands,
    text: "how the service encrypts what it stores; none leaves it to the bucket",
  },
  "s3.kmsKeyId": {
    kind: text("ID"),
    defaultText: "none",
    commands,
    text: "key for the encryption kms",
  },
  "s3.connectTimeoutMs": {
    kind: wholeNumber(1, HOUR_MS),
    default: 5_000,
    unit: "ms",
    commands,
    text: "longest wait for a connection",
  },
  "s3.requestTimeoutMs": {
    kind: wholeNumber(1, HOUR_MS),
    default: 30_000,
    unit: "ms",
    commands,
    text: "how long a request may stand still",
  },
  "s3.retries": {
    kind: wholeNumber(0, 20),
    default: 3,
    commands,
    text: "tries of a request after the first",
  },
  "s3.caFile": {
    kind: text("FILE"),
    defaultText: "what Node trusts",
    commands,
    text: "certificates that the server's is checked by, as PEM",
  },
  "s3.verify": {
    kind: yesOrNo,
    default: true,
    commands,
    text: "whether the server's certificate is checked",
  },
} as const satisfies SettingTable;

/** Of what could hold more than the address, such as a password, nothing is taken. */
function isEndpoint(given: string): boolean {
  if (!isHttpUrl(given)) return false;
  const { username, password, pathname } = new URL(given);
  return username === "" && password === "" && pathname === "/";
}
