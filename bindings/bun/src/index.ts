/**
 * HTTP/3 for Bun: a server with the shape of Bun.serve(), on a native engine that is polled and never calls back.
 *
 * @module
 */
export { createH3Server, H3Server } from "./server/create.ts";
export { H3Request, type Params } from "./server/api/request.ts";
export { H3Error } from "./native/errors.ts";
export { H3DatagramContext } from "./server/api/h3_datagram.ts";
export { QuicDatagramContext } from "./server/api/quic_datagram.ts";
export type { DatagramResult } from "./native/datagram_result.ts";
export type { OriginCheck, Origins } from "./server/api/origins.ts";
export { WebTransportBidirectionalStream } from "./webtransport/streams/bidirectional_stream.ts";
export type { BufferSource } from "./common/buffer_source.ts";
export type { WebTransportCloseInfo } from "./webtransport/close_info.ts";
export type { WebTransportConnectionStats, WebTransportDatagramStats } from "./webtransport/connection_stats.ts";
export { WebTransportDatagramsWritable, type WebTransportSendOptions } from "./webtransport/datagrams/writable.ts";
export { WebTransportReceiveStream, type WebTransportReceiveStreamStats } from "./webtransport/streams/receive_stream.ts";
export { WebTransportSendGroup, type WebTransportSendStreamStats } from "./webtransport/streams/send_group.ts";
export { WebTransportSendStream } from "./webtransport/streams/send_stream.ts";
export { WebTransportServerSession, type AcceptOptions } from "./server/api/server_session.ts";
export { WebTransportSession, type WebTransportSendStreamOptions } from "./webtransport/session.ts";
export type { DatagramHandler } from "./webtransport/session_core.ts";
export { WebTransportDatagramDuplexStream } from "./webtransport/datagrams/duplex.ts";
export { WebTransportError, type WebTransportErrorOptions, type WebTransportErrorSource } from "./webtransport/streams/webtransport_error.ts";
export { WebTransportWriter } from "./webtransport/streams/writer.ts";
export { withTrailers, type Trailers } from "./http/trailers.ts";
export { libraryPath, version } from "./native/library.ts";
export type { CertificateHash } from "./server/api/certificate_hash.ts";
export type { SocketAddress } from "./queue/connection.ts";
export type { LogLevel, LogRecord, LogTier } from "./common/log.ts";
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
} from "./server/api/types.ts";
