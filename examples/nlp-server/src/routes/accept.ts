import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, ConnectionLost, json, message } from "../http/answer.ts";
import type { RunRequest } from "../runs/runs.ts";
import type { Model } from "./model.ts";

export interface Acceptance {
  /** What the answer calls it. */
  kind: "training" | "evaluation";
  /** CMS has two wordings for the same refusal. */
  retrySentence: "Please retry your training later." | "Please retry later.";
}

/** Begins a run and answers as CMS does, or as the server was told to misbehave. */
export async function accept(
  { runs, behaviours }: Model,
  { kind, retrySentence }: Acceptance,
  request: RunRequest,
): Promise<Answer> {
  const { accepted, ids } = await runs.begin(request);
  if (!accepted) {
    const sentence = "Another training or evaluation on this model is still active.";
    return json(503, { message: `${sentence} ${retrySentence}`, ...ids });
  }
  const slow = behaviours.take("slow-accept");
  if (slow) await sleep(slow.ms, undefined, { ref: false });
  if (behaviours.take("lose-accept")) throw new ConnectionLost();
  if (behaviours.take("fail-accept")) return message(500, "Internal Server Error");
  if (behaviours.take("html-accept")) {
    const body = "<!DOCTYPE html><html><body><h1>202 Accepted</h1></body></html>";
    return { status: 202, contentType: "text/html; charset=utf-8", body };
  }
  const notice = { message: `Your ${kind} started successfully.`, [`${kind}_id`]: request.trackingId };
  return json(202, behaviours.take("nameless-accept") ? notice : { ...notice, ...ids });
}
