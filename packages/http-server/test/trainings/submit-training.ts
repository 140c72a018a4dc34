import { formBody } from "../support/forms.ts";
import { send } from "../support/send.ts";

export const KINDS = ["train_unsupervised", "train_supervised", "evaluate"] as const;
export type Kind = (typeof KINDS)[number];

const text = "Dr Okafor saw John Smith in Berlin.";
const trainerExport = {
  projects: [
    {
      id: 1,
      name: "p",
      cuis: "",
      documents: [{ id: 1, name: "d", text, annotations: [annotation("John Smith", "PERSON", 14)] }],
    },
  ],
};

function annotation(value: string, cui: string, start: number) {
  const verdict = { validated: true, correct: true, deleted: false, alternative: false, killed: false };
  const meta_anns = {};
  return { id: 1, user: "u", cui, value, start, end: start + value.length, ...verdict, meta_anns };
}

/** The body and the headers of a small training. */
export function trainingOf(kind: Kind): {
  readonly headers: Record<string, string>;
  readonly body: Buffer;
} {
  const boundary = "a-training";
  const content = JSON.stringify(kind === "train_unsupervised" ? [text, text] : trainerExport);
  const name = kind === "train_unsupervised" ? "training_data" : "trainer_export";
  const part = { name, filename: "data.json", type: "application/json", content };
  return {
    headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
    body: formBody(boundary, [part]),
  };
}

/** Sends it once; resolves the id of the task. */
export async function submitTraining(
  url: string,
  { model, kind, key }: { readonly model: string; readonly kind: Kind; readonly key?: string },
): Promise<string> {
  const { headers, body } = trainingOf(kind);
  const { status, body: answer } = await send(`${url}/models/${model}/tasks/${kind}`, {
    method: "POST",
    headers: { ...headers, ...(key === undefined ? {} : { "idempotency-key": key }) },
    body,
  });
  if (status !== 200)
    throw new Error(`${kind} for ${model} was answered with ${status}: ${answer.toString()}`);
  return (JSON.parse(answer.toString()) as { uuid: string }).uuid;
}

export interface TaskSeen {
  readonly status: string;
  readonly tracking_id: string | null;
  readonly error_message: string | null;
}

export async function readTask(url: string, id: string): Promise<TaskSeen> {
  const { status, body } = await send(`${url}/tasks/${id}?detail=true`);
  if (status !== 200) throw new Error(`task ${id} was answered with ${status}`);
  return JSON.parse(body.toString()) as TaskSeen;
}

export const hasEnded = ({ status }: { readonly status: string }): boolean =>
  ["succeeded", "failed", "cancelled"].includes(status);

export interface TrainingDocument {
  readonly run: { readonly run_id: string; readonly run_name: string; readonly status: string };
  readonly result_run?: { readonly run_id: string; readonly run_name: string; readonly status: string };
  readonly timing: { readonly started_at: string; readonly finished_at: string };
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly params: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly artifacts: { readonly artifact_uri: string };
  readonly error: readonly string[] | null;
}

/** What the task left; `undefined` when it has none. */
export async function readDocument(url: string, id: string): Promise<TrainingDocument | undefined> {
  const { status, body } = await send(`${url}/tasks/${id}?download=true`);
  if (status !== 200) return undefined;
  try {
    return JSON.parse(body.toString()) as TrainingDocument;
  } catch {
    return undefined;
  }
}
