export { createNodeHandler, type NodeHandler } from "./node/node-handler.ts";
export { type CloseOptions, type HttpServer, type ServeOptions, serveHttp } from "./node/serve-http.ts";
