import { agreementToCsv, isScope } from "../exports/agreement.ts";
import { annotationStats } from "../exports/annotation-stats.ts";
import { scoreExport, scoresToCsv } from "../exports/scores.ts";
import {
  annotationsOf,
  codePointSlicer,
  type Document,
  isTruthy,
  type Project,
  parseExport,
  readExports,
  type TrainerExport,
  textOf,
} from "../exports/trainer-export.ts";
import { attachment, csvType, jsonTextType, message, Refusal } from "../http/answer.ts";
import { Form } from "../http/form.ts";
import { QueryReader } from "../http/query.ts";
import { renderEntities } from "../preview.ts";
import type { Work, WorkRequest } from "./model.ts";

/** The texts of an export, as far as it has any: they are only counted. */
export function textsIn({ projects }: TrainerExport): string[] {
  const texts = projects.flatMap(({ documents }) => documents.map((document) => document["text"]));
  return texts.filter((text) => typeof text === "string");
}

export async function sanityCheck(request: WorkRequest): Promise<Work> {
  const { trackingId, trainerExport } = await readRequest(request);
  return {
    texts: textsIn(trainerExport),
    answer: async (signal) => {
      const scores = await scoreExport(request.model.engine, trainerExport, signal);
      return attachment(csvType, `sanity_check_${trackingId}.csv`, scoresToCsv(scores));
    },
  };
}

export async function interAnnotatorAgreement(request: WorkRequest): Promise<Work> {
  const query = new QueryReader(request.query);
  const trackingId = query.trackingId();
  const a = query.requiredInteger("annotator_a_project_id");
  const b = query.requiredInteger("annotator_b_project_id");
  const scope = query.requiredText("scope");
  const form = await Form.read(request.body, request.contentType);
  const files = await form.requiredFiles("trainer_export");
  query.check(...form.issues);
  const trainerExport = readExports(files, { repeatedDocuments: true });
  if (!isScope(scope)) throw new Refusal(message(400, `Unknown scope: "${scope}"`));
  return {
    texts: textsIn(trainerExport),
    answer: async () =>
      attachment(csvType, `iaa_${trackingId}.csv`, agreementToCsv(trainerExport, a, b, scope)),
  };
}

export async function joinExports(request: WorkRequest): Promise<Work> {
  const { trackingId, trainerExport } = await readRequest(request);
  const joined = JSON.stringify({ projects: trainerExport.projects });
  return {
    texts: textsIn(trainerExport),
    answer: async () => attachment(jsonTextType, `concatenated_${trackingId}.json`, joined, { whole: true }),
  };
}

export async function exportStats(request: WorkRequest): Promise<Work> {
  const { trackingId, trainerExport } = await readRequest(request);
  return {
    texts: textsIn(trainerExport),
    answer: async () => attachment(csvType, `stats_${trackingId}.csv`, annotationStats(trainerExport)),
  };
}

async function readRequest(
  request: WorkRequest,
): Promise<{ trackingId: string; trainerExport: TrainerExport }> {
  const query = new QueryReader(request.query);
  const trackingId = query.trackingId();
  const form = await Form.read(request.body, request.contentType);
  const files = await form.requiredFiles("trainer_export");
  query.check(...form.issues);
  return { trackingId, trainerExport: readExports(files) };
}

export async function previewExport(request: WorkRequest): Promise<Work> {
  const query = new QueryReader(request.query);
  const trackingId = query.trackingId();
  const projectId = query.integer("project_id");
  const documentId = query.integer("document_id");
  const form = await Form.read(request.body, request.contentType);
  const files = await form.files("trainer_export");
  query.check(...form.issues);
  const inFiles = readExports(files, { repeatedProjects: true, repeatedDocuments: true });
  const inField = parseExport(form.text("trainer_export_str") ?? '{"projects":[]}');
  const trainerExport = { projects: [...inFiles.projects, ...inField.projects] };
  const parts: string[] = [];
  for (const project of trainerExport.projects) {
    if (projectId !== undefined && project.id !== projectId) continue;
    for (const document of project.documents) {
      if (documentId !== undefined && document.id !== documentId) continue;
      parts.push(previewDocument(project, document));
    }
  }
  if (parts.length === 0) throw new Refusal(message(404, "Cannot find any matching documents to preview"));
  return {
    texts: textsIn(trainerExport),
    answer: async () =>
      attachment("application/octet-stream", `preview_${trackingId}.html`, parts.join("<br/>")),
  };
}

function previewDocument(project: Project, document: Document): string {
  const entities = annotationsOf(document)
    .map(({ start, end, cui, correct, deleted, killed }) => {
      const verdict = isTruthy(correct ?? true) ? "correct" : "incorrect";
      const fate = isTruthy(deleted) && isTruthy(killed) ? "; terminated" : "";
      return { start, end, id: cui, label: `${cui} (${verdict}${fate})` };
    })
    .sort((a, b) => a.start - b.start);
  return renderEntities(codePointSlicer(textOf(document)), entities, `P${project.id}/D${document.id}`);
}
