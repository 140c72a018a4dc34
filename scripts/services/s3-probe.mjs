// One signed request for the list of buckets (Signature Version 4), so that an S3 server is called ready when it knows
// the keys and takes them.

import { createHash, createHmac } from "node:crypto";

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const hmac = (key, text) => createHmac("sha256", key).update(text).digest();

/** Resolves to whether the server lists its buckets for these keys. */
export async function answersSigned({ endpoint, accessKey, secretKey, region }, withinMs = 2000) {
  const { host } = new URL(endpoint);
  const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const day = stamp.slice(0, 8);
  const body = sha256("");
  const signed = "host;x-amz-content-sha256;x-amz-date";
  const headers = `host:${host}\nx-amz-content-sha256:${body}\nx-amz-date:${stamp}\n`;
  const request = ["GET", "/", "", headers, signed, body].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", stamp, scope, sha256(request)].join("\n");
  const key = [day, region, "s3", "aws4_request"].reduce(hmac, `AWS4${secretKey}`);
  const signature = hmac(key, text).toString("hex");
  const response = await fetch(`${endpoint}/`, {
    headers: {
      "x-amz-content-sha256": body,
      "x-amz-date": stamp,
      authorization: `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${signed}, Signature=${signature}`,
    },
    signal: AbortSignal.timeout(withinMs),
  });
  const answer = await response.text();
  return response.ok && answer.includes("ListAllMyBucketsResult");
}
