import { checkText, invalidRequest } from "./invalid.ts";

/** The name of an image, taken apart as the engine does it. */
export interface ImageName {
  /** What a registry's credentials are kept under: `host[:port]`, or `docker.io`. */
  readonly registry: string;
  /** Without tag and digest, as the engine's `fromImage` takes it. */
  readonly repository: string;
  /** A tag, or a digest such as `sha256:…`; the engine pulls every tag there is where it gets none. */
  readonly reference: string;
}

const HOST = "(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)";
const DOMAIN = String.raw`${HOST}(?:\.${HOST})*(?::[0-9]{1,5})?`;
const COMPONENT = String.raw`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`;
const TAG = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
const DIGEST = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
/** The grammar of https://pkg.go.dev/github.com/distribution/reference, without names in brackets (IPv6). */
const IMAGE = new RegExp(
  `^(?<repository>(?:${DOMAIN}/)?${COMPONENT}(?:/${COMPONENT})*)(?::(?<tag>${TAG}))?(?:@(?<digest>${DIGEST}))?$`,
);
/** Of the image's id, which the engine takes for its own images. */
const LOCAL_ID = /^sha256:[0-9a-f]{64}$/;

/** Throws `INVALID_REQUEST` for what no engine takes as the name of an image. */
export function parseImageName(image: unknown): ImageName {
  const text = checkText(image, "image", 1024);
  const { repository, tag, digest } = IMAGE.exec(text)?.groups ?? {};
  if (LOCAL_ID.test(text)) return { registry: "", repository: text, reference: "" };
  if (repository === undefined) {
    throw invalidRequest(
      "image",
      'is no name of an image; give one such as "registry.example:5000/models/ner:1.2"',
    );
  }
  return { registry: registryOf(repository), repository, reference: digest ?? tag ?? "latest" };
}

/** Only a first part that looks like a host is one; any other is a folder of Docker Hub. */
function registryOf(repository: string): string {
  const first = repository.includes("/") ? (repository.split("/", 1)[0] ?? "") : "";
  const isHost = first.includes(".") || first.includes(":") || first === "localhost";
  if (!isHost) return "docker.io";
  return first === "index.docker.io" ? "docker.io" : first;
}
