/**
 * HTTP/3 for Bun: a server with the shape of Bun.serve(), on a native engine that is polled and never calls back.
 *
 * @module
 */
export { createH3Server, H3Server } from "./server.ts";
export { H3Request } from "./request.ts";
export { H3Error } from "./errors.ts";
export { withTrailers, type Trailers } from "./response.ts";
export { libraryPath, version } from "./library.ts";
export type { CertificateHash } from "./certificate_hash.ts";
export type { SocketAddress } from "./connection.ts";
export type { LogHook, LogLevel, LogRecord, LogTier } from "./log.ts";
export type {
  ErrorHandler,
  H3ServerOptions,
  Handler,
  HandlerResult,
  MethodRoutes,
  Params,
  Pem,
  PumpOptions,
  ReloadOptions,
  RouteDefinition,
  RouteValue,
  TlsOptions,
} from "./types.ts";
