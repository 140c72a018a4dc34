import { formBody } from "../support/forms.ts";
import { randomOf } from "../support/random.ts";
import { answerTo, type ChaosOperation, digestOf, RUN_ANSWER } from "./model-answers.ts";

/** A task before it has an id; `nonce` names it until then, and in its query wherever it goes. */
export interface ChaosTask {
  readonly nonce: string;
  readonly operation: ChaosOperation;
  readonly background: boolean;
  readonly priority: number;
  readonly query: string;
  readonly contentType: string;
  readonly body: Buffer;
  /** Digest of the only right result. */
  readonly answer: string;
  /** Somebody asks for its end so long after it was accepted. */
  readonly cancelAfterMs: number | undefined;
}

export interface LoadOptions {
  readonly seed: number;
  readonly tasks: number;
  /** Typical duration of a call, and of a run. */
  readonly workMs: number;
  /** Of all tasks, those that are a training or an evaluation. */
  readonly backgroundShare: number;
}

const INLINE_BYTES = 32 * 1024;

/** Makes the tasks of a run, one after the other, of all sizes and priorities. */
export function* makeTasks({ seed, tasks, workMs, backgroundShare }: LoadOptions): Generator<ChaosTask> {
  const random = randomOf(seed ^ 0x7461736b);
  const between = (least: number, most: number): number => Math.floor(least + random() * (most - least + 1));
  for (let at = 0; at < tasks; at += 1) {
    const nonce = `n${seed}-${at}`;
    const size = random();
    const bytes =
      size < 0.86
        ? between(20, 8_000)
        : size < 0.985
          ? between(INLINE_BYTES - 2, 6 * INLINE_BYTES)
          : between(1_500_000, 4_000_000);
    const text = textOf(nonce, bytes);
    const background = random() < backgroundShare;
    const ms = Math.ceil(workMs * (0.2 + 2 * random() ** 2));
    const base = {
      nonce,
      background,
      priority: between(0, 10),
      query: `chaos=${nonce}&ms=${ms}`,
      cancelAfterMs: random() < 0.03 ? between(0, 4 * workMs) : undefined,
    };
    if (background) {
      const form = formBody(nonce, [{ name: "trainer_export", filename: "export.json", content: text }]);
      const operation = random() < 0.5 ? ("train_supervised" as const) : ("evaluate" as const);
      const contentType = `multipart/form-data; boundary=${nonce}`;
      yield { ...base, operation, contentType, body: form, answer: RUN_ANSWER };
    } else {
      const operation = random() < 0.5 ? ("process" as const) : ("redact" as const);
      yield {
        ...base,
        operation,
        contentType: "text/plain",
        body: text,
        answer: digestOf(answerTo(operation, text)),
      };
    }
  }
}

/** No two texts are the same, nor any two parts of one that matter. */
function textOf(nonce: string, bytes: number): Buffer {
  const text = Buffer.alloc(bytes, `${nonce} Patient diagnosed with loss of kidney function. `);
  for (let at = 0; at + 8 < bytes; at += 4_096) text.writeUInt32BE(at, at + 4);
  return text;
}
