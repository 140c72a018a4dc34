import { constants, createPublicKey, type KeyObject, publicEncrypt } from "node:crypto";
import { message, Refusal } from "./http/answer.ts";
import type { Span } from "./nlp/labels.ts";

interface Encryption {
  label: string;
  /** RSA-OAEP with SHA-256, in base64. */
  encryption: string;
}

export interface EncryptedText {
  redacted_text: string;
  encryptions: Encryption[];
}

/** Puts a numbered label in place of each span, and each span's text behind the owner of the key. */
export function redactWithEncryption(
  text: string,
  spans: readonly Span[],
  publicKeyPem: string,
): EncryptedText {
  // As in CMS, the key is looked at only when there is something to encrypt.
  const key = spans.length > 0 ? readPublicKey(publicKeyPem) : undefined;
  const encryptions: Encryption[] = [];
  let redacted = "";
  let cursor = 0;
  for (const [index, { start, end }] of spans.entries()) {
    const label = `[REDACTED_${index}]`;
    redacted += text.slice(cursor, start) + label;
    if (key) encryptions.push({ label, encryption: encrypt(key, text.slice(start, end)) });
    cursor = end;
  }
  return { redacted_text: redacted + text.slice(cursor), encryptions };
}

function readPublicKey(pem: string): KeyObject {
  // Node would take a private key too, and derive the public one; nobody should send theirs here.
  if (!/-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(pem)) throw badKey();
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    throw badKey();
  }
  if (key.asymmetricKeyType !== "rsa") throw new Refusal(message(500, "The public key is not one of RSA."));
  return key;
}

function encrypt(key: KeyObject, text: string): string {
  const options = { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" };
  try {
    return publicEncrypt(options, Buffer.from(text)).toString("base64");
  } catch {
    throw new Refusal(message(500, "An entity is too long for the public key."));
  }
}

function badKey(): Refusal {
  return new Refusal(message(500, "Unable to load PEM file. The public key is not a PEM of a public key."));
}
