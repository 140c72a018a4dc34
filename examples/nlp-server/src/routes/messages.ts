import type { FieldReader } from "../http/fields.ts";

export interface Message {
  role: string;
  content: string;
}

/** One message of a conversation, as OpenAI and Ollama write it. */
export function messageIn(fields: FieldReader): Message {
  return { role: fields.requiredText("role"), content: fields.requiredText("content") };
}

/** The model knows no roles: what was said last is what it goes on from. */
export function promptOf(messages: readonly Message[]): string {
  return messages.map(({ content }) => content).join("\n");
}
