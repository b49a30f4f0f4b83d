/**
 * HTTP/3 for Bun: a server with the shape of Bun.serve(), on a native engine that is polled and never calls back.
 *
 * @module
 */
export { createH3Server, H3Server } from "./create.ts";
export { H3Request, type Params } from "./request.ts";
export { H3Error } from "./errors.ts";
export { H3DatagramContext } from "./h3_datagram.ts";
export { QuicDatagramContext } from "./quic_datagram.ts";
export type { DatagramResult } from "./datagram_result.ts";
export type { OriginCheck, Origins } from "./origins.ts";
export { WebTransportBidirectionalStream } from "./webtransport/bidirectional_stream.ts";
export type { BufferSource } from "./webtransport/buffer_source.ts";
export type { WebTransportCloseInfo } from "./webtransport/close_info.ts";
export type { WebTransportConnectionStats, WebTransportDatagramStats } from "./webtransport/connection_stats.ts";
export { WebTransportDatagramsWritable, type WebTransportSendOptions } from "./webtransport/datagrams_writable.ts";
export { WebTransportReceiveStream, type WebTransportReceiveStreamStats } from "./webtransport/receive_stream.ts";
export { WebTransportSendGroup, type WebTransportSendStreamStats } from "./webtransport/send_group.ts";
export { WebTransportSendStream } from "./webtransport/send_stream.ts";
export { WebTransportServerSession, type AcceptOptions } from "./webtransport/server_session.ts";
export { WebTransportSession, type WebTransportSendStreamOptions } from "./webtransport/session.ts";
export type { DatagramHandler } from "./webtransport/session_core.ts";
export { WebTransportDatagramDuplexStream } from "./webtransport/session_datagrams.ts";
export { WebTransportError, type WebTransportErrorOptions, type WebTransportErrorSource } from "./webtransport/webtransport_error.ts";
export { WebTransportWriter } from "./webtransport/writer.ts";
export { withTrailers, type Trailers } from "./trailers.ts";
export { libraryPath, version } from "./library.ts";
export type { CertificateHash } from "./certificate_hash.ts";
export type { SocketAddress } from "./connection.ts";
export type { LogLevel, LogRecord, LogTier } from "./log.ts";
export type {
  DatagramOptions,
  EngineOptions,
  ErrorHandler,
  H3DatagramHandler,
  H3ServerOptions,
  Handler,
  HandlerResult,
  LogHook,
  MethodRoutes,
  Pem,
  PumpOptions,
  QuicDatagramHandler,
  ReloadOptions,
  RouteDefinition,
  RouteExtensions,
  RouteValue,
  SessionHandler,
  TlsOptions,
  WebTransportOptions,
} from "./types.ts";
