import { isIP } from "node:net";
import type { Configuration, Deployment, Gateway, ModelStatus, ServerStatus } from "@modelgate/core";
import type { HttpContext } from "../context.ts";
import { demandsForm } from "./deployments-resources.ts";
import { createInfoReader, type Info } from "./model-info.ts";
import { createTrackingReader, type TrackedInfo } from "./model-tracking.ts";
import type { TimedReader } from "./timed-reader.ts";

/** What others say of models. */
export interface ModelReaders {
  readonly infos: TimedReader<Info>;
  readonly tracked: TimedReader<TrackedInfo> | undefined;
}

export function createModelReaders(context: HttpContext): ModelReaders {
  return { infos: createInfoReader(context), tracked: createTrackingReader(context) };
}

/** A model that runs, with what this installation knows of it. */
export interface RunningModel {
  readonly status: ModelStatus;
  readonly deployment?: Deployment | undefined;
  /** The enabled one. */
  readonly configuration?: Configuration | undefined;
}

export function runningForm(model: RunningModel): Record<string, unknown> {
  return { name: model.status.name, uri: uriOf(model), is_running: true };
}

/** A running model as JSON text: server and tracker are asked at once, and what they do not say in time is left out. */
export async function runningInFull(readers: ModelReaders, model: RunningModel): Promise<string> {
  const { deployment, configuration } = model;
  const uri = uriOf(model);
  const [runtime, tracked] = await Promise.all([
    readers.infos.read(model.status.name),
    uri === undefined ? undefined : readers.tracked?.read(uri),
  ]);
  const said = described(runtime?.value);
  const form = {
    ...runningForm(model),
    description: configuration?.description ?? said.description,
    model_type: tracked?.type ?? deployment?.modelType ?? said.type,
    deployment_type: deployment?.kind ?? kindByLabel(model.status),
    // What a person asked for one deployment is not kept beside it; an on-demand one has what is configured.
    deploy: deployment?.kind === "auto" ? demandsForm(configuration?.demands) : undefined,
  };
  return withTexts(form, runtime?.text, tracked?.text);
}

export function onDemandForm({ model, modelUri }: Configuration): Record<string, unknown> {
  return { name: model, uri: modelUri, is_running: false };
}

/** The same of a model that does not run. */
export async function onDemandInFull(readers: ModelReaders, configuration: Configuration): Promise<string> {
  const { modelUri, modelType, idleTtlMs, description, demands } = configuration;
  const tracked = await readers.tracked?.read(modelUri);
  const form = {
    ...onDemandForm(configuration),
    description,
    model_type: tracked?.type ?? modelType,
    deployment_type: "auto",
    idle_ttl: Math.ceil(idleTtlMs / 1000),
    deploy: demandsForm(demands),
  };
  return withTexts(form, undefined, tracked?.text);
}

/** In the words of others, because parsing and printing them again would change large and long numbers. */
function withTexts(
  form: Record<string, unknown>,
  runtime: string | undefined,
  tracking: string | undefined,
): string {
  const members = [JSON.stringify(form).slice(0, -1)];
  if (runtime !== undefined) members.push(`"runtime":${runtime}`);
  if (tracking !== undefined) members.push(`"tracking":${tracking}`);
  return `${members.join(",")}}`;
}

/** Where a model is from, by its deployment or by what a server of it says by a label. */
function uriOf({ deployment, status }: RunningModel): string | undefined {
  return deployment?.modelUri ?? detailOf(status, "uri");
}

/** A server of somebody else may say how it was deployed. */
function kindByLabel(status: ModelStatus): string {
  const kind = detailOf(status, "deployment");
  return kind === "manual" || kind === "auto" ? kind : "static";
}

function detailOf({ servers }: ModelStatus, name: string): string | undefined {
  const detail = ({ details }: ServerStatus): string | undefined => details?.[name];
  const ready = servers.find((server) => server.state === "ready" && detail(server) !== undefined);
  return detail(ready ?? servers.find((server) => detail(server) !== undefined) ?? NO_SERVER);
}

const NO_SERVER = {} as ServerStatus;

/** A model may also be named by the address of a container that serves it. */
export function namedModel(gateway: Gateway, given: string): string {
  if (isIP(given) === 0) return given;
  const models = gateway.models();
  if (models.some(({ name }) => name === given)) return given;
  const isAt = ({ details }: ServerStatus): boolean =>
    details?.["addresses"]?.split(" ").includes(given) === true;
  return models.find(({ isRunning, servers }) => isRunning && servers.some(isAt))?.name ?? given;
}

function described(info: unknown): { readonly type?: string; readonly description?: string } {
  if (typeof info !== "object" || info === null) return {};
  const { model_type, model_description } = info as Record<string, unknown>;
  return {
    ...(typeof model_type === "string" && { type: model_type }),
    ...(typeof model_description === "string" && { description: model_description }),
  };
}
