/** What Bun.serve() takes and this server has no use for, and why: the reader of such an error knows the option and wonders. */

const ONLY_HTTP3 = "this server speaks HTTP/3 only";
const OF_TLS = "it is an option of tls";
const NO_CLIENT_CERTIFICATES = "clients are not asked for certificates";
const NOT_IN_TLS_1_3 = "QUIC uses TLS 1.3, where there is nothing to set";

/** Options of the server. */
export const REFUSED: Readonly<Record<string, string>> = {
  unix: "HTTP/3 runs over UDP",
  websocket: "WebSocket is not served over HTTP/3",
  reusePort: "it has no counterpart here",
  ipv6Only: "give an IPv6 address as hostname",
  http1: ONLY_HTTP3,
  http2: ONLY_HTTP3,
  http3: ONLY_HTTP3,
  static: "it is called routes",
  cert: OF_TLS,
  key: OF_TLS,
  serverName: OF_TLS,
};

/** Options of `tls`. */
export const REFUSED_TLS: Readonly<Record<string, string>> = {
  passphrase: "an encrypted key is not supported: decrypt it first, with openssl pkey",
  ca: NO_CLIENT_CERTIFICATES,
  crl: NO_CLIENT_CERTIFICATES,
  requestCert: NO_CLIENT_CERTIFICATES,
  rejectUnauthorized: NO_CLIENT_CERTIFICATES,
  ALPNProtocols: "HTTP/3 has but one, h3",
  ciphers: NOT_IN_TLS_1_3,
  dhParamsFile: NOT_IN_TLS_1_3,
  secureOptions: NOT_IN_TLS_1_3,
  clientRenegotiationLimit: NOT_IN_TLS_1_3,
  clientRenegotiationWindow: NOT_IN_TLS_1_3,
  lowMemoryMode: "it has no counterpart here",
};
