import { type ModelServerOptions, serveModel } from "./model-server.ts";

// The program of a model server; its one argument is its options as JSON.
await serveModel(JSON.parse(process.argv[2] ?? "{}") as ModelServerOptions);
