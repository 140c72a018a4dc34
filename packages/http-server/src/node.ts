export { type CloseOptions, type HttpServer, type ServeOptions, serveHttp } from "./node/serve-http.ts";
