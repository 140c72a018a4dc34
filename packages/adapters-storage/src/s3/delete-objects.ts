import { createHash } from "node:crypto";
import { GatewayError } from "@modelgate/core";
import type { S3Connection } from "./connection.ts";
import type { Operation } from "./operation.ts";
import { S3Refusal, toStoreError } from "./s3-error.ts";
import { contentsOf, escapeXml, textOf } from "./xml.ts";

/** S3's own bound. */
const BATCH = 1000;

/** Removes what is there of `names`. What one batch refuses does not keep the others from being removed. */
export async function deleteObjects(
  connection: S3Connection,
  names: readonly string[],
  operation: Operation,
): Promise<void> {
  const different = [...new Set(names)];
  const codes: string[] = [];
  for (let at = 0; at < different.length; at += BATCH) {
    codes.push(...(await deleteBatch(connection, different.slice(at, at + BATCH), operation)));
  }
  const [code] = codes;
  if (code !== undefined) throw refused(codes.length, code);
}

/** Resolves the codes of those that were refused. */
async function deleteBatch(
  connection: S3Connection,
  names: readonly string[],
  operation: Operation,
): Promise<string[]> {
  const objects = names.map((name) => `<Object><Key>${escapeXml(name)}</Key></Object>`).join("");
  const xml = `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>${objects}</Delete>`;
  const request = {
    method: "POST",
    query: "delete",
    // Wanted for this call, whatever else protects the body.
    headers: { "content-md5": createHash("md5").update(xml).digest("base64") },
    body: await connection.bodyOf(xml),
  } as const;
  const { text } = await connection.call(request, operation);
  return contentsOf(text, "Error")
    .map((error) => textOf(error, "Code") ?? "")
    .filter((code) => code !== "NoSuchKey");
}

/** The status is the one that the code has where it stands for a whole answer. */
function refused(failed: number, code: string): GatewayError {
  const cause = new S3Refusal(code === "AccessDenied" ? 403 : 200, code);
  const error = toStoreError(cause, "write") as GatewayError;
  return new GatewayError(error.code, `${failed} objects could not be deleted: ${error.message}`, {
    cause,
    details: { ...error.details, failed },
  });
}
