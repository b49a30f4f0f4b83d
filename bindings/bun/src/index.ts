/**
 * HTTP/3 for Bun: a server with the shape of Bun.serve(), on a native engine that is polled and never calls back.
 *
 * What stands where; which room may import which is said in docs/architecture.md.
 *
 *     server/create.ts                              createH3Server
 *     server/hot.ts                                 servers that outlive a run under `bun --hot`
 *     server/server.ts                              what is behind an H3Server: its life, its routes, its place in the queue
 *     server/native_server.ts                       the calls that make it on the C side
 *
 *     server/options/options.ts                     checks what createH3Server() is given
 *     server/options/engine_options.ts              the option `engine`
 *     server/options/refused_options.ts             Bun.serve()'s options that have no use here, and why
 *
 *     server/requests/arrival.ts                    from an event that begins a request or a session to its handler
 *     server/requests/answer.ts                     calls the handler; error(), and the plain 500
 *     server/requests/call.ts                       a request on its way to an answer
 *     server/requests/exchange.ts                   a request that outlives its event, and what happens to it
 *     server/requests/host.ts                       what requests need of their server
 *     server/requests/respond.ts                    which way a Response goes, by its body
 *     server/requests/file.ts                       sends a Bun.file() or a slice of one
 *     server/requests/send.ts                       sends a Response: in one call, or in parts
 *     server/requests/message_calls.ts              the library's calls for bodies, of requests in and of responses out
 *     server/requests/refusal.ts                    answers that no handler gives
 *     server/requests/ask_session.ts                who decides on a session
 *
 *     server/routes/route.ts                        one route and its pattern
 *     server/routes/route_table.ts                  all of a server's, and which comes first
 *     server/routes/parse_routes.ts                 the option `routes`
 *     server/routes/static_route.ts                 Responses and files as routes
 *
 *     server/api/types.ts                           H3Server as users see it, options, handlers
 *     server/api/request.ts                         H3Request
 *     server/api/h3_datagram.ts                     H3DatagramContext
 *     server/api/server_session.ts                  WebTransportServerSession: accept() and reject()
 *     server/api/offered_protocols.ts               the protocols that a session's client offers
 *     server/api/origins.ts                         which pages may open sessions
 *     server/api/certificate_hash.ts                SHA-256 of a certificate
 *
 *     client/fetch/h3_fetch.ts                      h3Fetch
 *     client/fetch/h3_client.ts                     createH3Client
 *     client/fetch/types.ts                         what they are given
 *     client/fetch/fetcher.ts                       from a request to its Response
 *     client/fetch/request.ts                       from what is given to what is asked for
 *     client/fetch/priority.ts                      how requests are treated beside others
 *     client/fetch/request_body.ts                  what a request's body is made of
 *     client/fetch/compress.ts                      the option `compress`
 *     client/fetch/target.ts                        where a request goes
 *     client/fetch/redirect.ts                      redirects
 *     client/fetch/fallback.ts                      origins without HTTP/3
 *     client/fetch/alternatives.ts                  which have it, and where (Alt-Svc)
 *     client/fetch/preconnect.ts                    connections before something is asked for
 *     client/fetch/exchange.ts                      one request and its response, between their events
 *     client/fetch/native_fetch.ts                  the calls of a fetch
 *     client/fetch/response.ts                      H3Response
 *     client/fetch/response_heads.ts                the fields of responses
 *     client/fetch/response_body.ts                 a response's body that comes in pieces
 *     client/fetch/byte_stream.ts                   bodies for readers that bring their own memory
 *     client/fetch/decode.ts                        content codings
 *     client/fetch/zstd_end.ts                      where zstd ends
 *     client/fetch/details.ts                       what HTTP/3 tells of a response
 *     client/fetch/failure.ts                       what a fetch fails with
 *
 *     client/client.ts                              a client by its handle: its place in the queue, how long it keeps the process
 *     client/client_set.ts                          clients by their options
 *     client/asked_options.ts                       options as they were given, to know them again
 *     client/shared_clients.ts                      clients that nobody has made
 *     client/native_client.ts                       the call that makes one on the C side
 *     client/session/web_transport.ts               WebTransport: a session that this side asks for
 *     client/session/web_transport_options.ts       checks what it is given
 *     client/session/native_session.ts              the call that asks for one on the C side
 *     client/session/install.ts                     installWebTransport(): as a global
 *     client/options.ts                             checks what clients are given
 *     client/types.ts                               what that is
 *
 *     webtransport/session_core.ts                  a session by its handle: state, events, what hangs on it
 *     webtransport/session.ts                       WebTransportSession, the same in the web's shape
 *     webtransport/anticipated.ts                   streams that a session expects of its peer
 *     webtransport/answer_headers.ts                responseHeaders of a session that this side has asked for
 *     webtransport/connection_stats.ts              getStats()
 *     webtransport/close_info.ts                    code and reason of an end
 *     webtransport/keying_material.ts               arguments of exportKeyingMaterial()
 *
 *     webtransport/datagrams/duplex.ts              WebTransportDatagramDuplexStream
 *     webtransport/datagrams/older_names.ts         the same of a server's session, with the names of older drafts
 *     webtransport/datagrams/writable.ts            WebTransportDatagramsWritable
 *     webtransport/datagrams/inbox.ts               those that nobody has read
 *     webtransport/datagrams/outbox.ts              those that wait to be sent
 *     webtransport/datagrams/limits.ts              ages and buffer limits
 *     webtransport/datagrams/arrival_clock.ts       how old one is
 *
 *     webtransport/streams/session_stream.ts        a stream by its handle: brings events to its two sides
 *     webtransport/streams/send_side.ts             our side
 *     webtransport/streams/receive_side.ts          the peer's side
 *     webtransport/streams/send_stream.ts           WebTransportSendStream
 *     webtransport/streams/receive_stream.ts        WebTransportReceiveStream
 *     webtransport/streams/bidirectional_stream.ts  WebTransportBidirectionalStream
 *     webtransport/streams/incoming_streams.ts      those that the peer opened, as a stream of streams
 *     webtransport/streams/send_group.ts            WebTransportSendGroup
 *     webtransport/streams/writer.ts                WebTransportWriter: atomicWrite() and commit()
 *     webtransport/streams/webtransport_error.ts    WebTransportError
 *
 *     http/head_reader.ts                           a request's head out of the queue
 *     http/incoming_body.ts                         a body that comes in pieces
 *     http/outgoing.ts                              what bodies that are sent and their messages know of each other
 *     http/outgoing_bytes.ts                        sends one that is in memory, in parts
 *     http/outgoing_stream.ts                       sends one as it is made
 *     http/body_kind.ts                             what a Response's body is made of
 *     http/file_slice.ts                            what a Blob of a file stands for
 *     http/direct_stream.ts                         streams of `type: "direct"`
 *     http/content_type.ts                          the type of a body that came without one
 *     http/plain_head.ts                            headers with a content-type at most, packed
 *     http/static_response.ts                       a Response that is packed once and sent again and again
 *     http/trailers.ts                              withTrailers()
 *
 *     queue/pump.ts                                 drains a queue, sleeps, is woken
 *     queue/dispatcher.ts                           brings each event to whom it concerns
 *     queue/session_events.ts                       the same for sessions, their streams and datagrams
 *     queue/fetch_events.ts                         the same for fetches
 *     queue/records.ts                              records where they stand in the queue's memory
 *     queue/connection.ts                           a connection and its peer's address
 *     queue/quic_datagram.ts                        QuicDatagramContext
 *
 *     native/library.ts                             finds, checks and loads libzigquicheh3
 *     native/symbols.ts                             its functions
 *     native/layout.ts                              the numbers of the C contract
 *     native/errors.ts                              H3Error
 *     native/memory.ts                              memory of the C side for arguments and results
 *     native/packed.ts                              packed header lists
 *     native/refused.ts                             calls that found no room, until they can be made again
 *     native/stats.ts                               counters by name
 *     native/datagram_result.ts                     what became of a datagram
 *
 *     common/congestion_control.ts                  what sessions' congestion control is tuned for
 *     common/failure.ts                             failures in words, handlers that answer to nobody
 *     common/log.ts                                 messages, and where they go
 *     common/thenable.ts                            promises of any make
 *     common/foreign_response.ts                    Responses of another realm or library
 *     common/native_body.ts                         what reads bodies, as it was at loading
 *     common/recognized.ts                          classes that know their objects of another run
 *     common/web_interface.ts                       classes in the shape of the web's interfaces
 *     common/builtins.ts                            functions of the host as they were at loading
 *     common/outcome.ts                             a promise that is made when somebody asks
 *     common/peek.ts                                the value of a promise that is settled
 *     common/buffer_source.ts                       an ArrayBuffer or a view of one
 *     common/option_checks.ts                       checks of what options are given
 *     common/pem.ts                                 certificates and keys as they may be given
 *     common/pump_options.ts                        the options that say how events reach a thread
 *
 * @module
 */
export { h3Fetch } from "./client/fetch/h3_fetch.ts";
export { createH3Client, H3Client } from "./client/fetch/h3_client.ts";
export { H3Response, type InformationalResponse, type ResponseConnection, type ResponseDetails, type ResponseTimings } from "./client/fetch/response.ts";
export type { H3ClientOptions, H3Fetch, H3FetchInit, RequestDefaults } from "./client/fetch/types.ts";
export type { PriorityOption } from "./client/fetch/priority.ts";
export type { CompressOption, CompressionCoding } from "./client/fetch/compress.ts";
export type {
  CertificateHashOption,
  ClientDatagramOptions,
  ClientEngineOptions,
  ClientHostOptions,
  ClientQuicDatagramHandler,
  ClientSessionOptions,
  ClientTlsOptions,
  ConnectionOptions,
  PoolOptions,
} from "./client/types.ts";
export { createH3Server, H3Server } from "./server/create.ts";
export { H3Request, type Params } from "./server/api/request.ts";
export { H3Error } from "./native/errors.ts";
export { H3DatagramContext } from "./server/api/h3_datagram.ts";
export { QuicDatagramContext } from "./queue/quic_datagram.ts";
export type { DatagramResult } from "./native/datagram_result.ts";
export type { OriginCheck, Origins } from "./server/api/origins.ts";
export { WebTransportBidirectionalStream } from "./webtransport/streams/bidirectional_stream.ts";
export type { BufferSource } from "./common/buffer_source.ts";
export type { WebTransportCloseInfo } from "./webtransport/close_info.ts";
export type { WebTransportCongestionControl } from "./common/congestion_control.ts";
export type { WebTransportConnectionStats, WebTransportDatagramStats } from "./webtransport/connection_stats.ts";
export { WebTransportDatagramsWritable, type WebTransportSendOptions } from "./webtransport/datagrams/writable.ts";
export { WebTransportReceiveStream, type WebTransportReceiveStreamStats } from "./webtransport/streams/receive_stream.ts";
export { WebTransportSendGroup, type WebTransportSendStreamStats } from "./webtransport/streams/send_group.ts";
export { WebTransportSendStream } from "./webtransport/streams/send_stream.ts";
export { WebTransportServerSession, type AcceptOptions } from "./server/api/server_session.ts";
export { WebTransportSession, type OlderDatagramDuplexStream, type WebTransportSendStreamOptions } from "./webtransport/session.ts";
export type { DatagramHandler } from "./webtransport/session_core.ts";
export { WebTransportDatagramDuplexStream } from "./webtransport/datagrams/duplex.ts";
export { WebTransportError, type WebTransportErrorOptions, type WebTransportErrorSource } from "./webtransport/streams/webtransport_error.ts";
export { WebTransportWriter } from "./webtransport/streams/writer.ts";
export { WebTransport } from "./client/session/web_transport.ts";
export type { WebTransportClientOptions, WebTransportHash } from "./client/session/web_transport_options.ts";
export { installWebTransport } from "./client/session/install.ts";
export { withTrailers, type Trailers } from "./http/trailers.ts";
export { libraryPath, version } from "./native/library.ts";
export type { CertificateHash } from "./server/api/certificate_hash.ts";
export type { SocketAddress } from "./queue/connection.ts";
export type { Pem } from "./common/pem.ts";
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
  PumpOptions,
  QueueOptions,
  QuicDatagramHandler,
  ReloadOptions,
  RouteDefinition,
  RouteExtensions,
  RouteMode,
  RouteValue,
  SessionHandler,
  TlsOptions,
  WebTransportOptions,
} from "./server/api/types.ts";
