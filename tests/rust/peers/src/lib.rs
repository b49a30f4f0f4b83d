//! What the servers of this folder have in common: `NAME <cert.pem> <key.pem>` prints "ready <port>", serves until it is ended, and prints
//! a line for each thing that its peer has done to a stream or session of its. Codes stand there as they are on the wire, but where a
//! crate maps them itself. A server's sessions:
//!
//! - /echo gives back every stream and datagram, and the code of a stream that is reset;
//! - /codes opens one stream, resets it with 5 once it is answered, and stops the other direction with 6;
//! - /asked is /echo, and prints the field by which a request says that it is of draft 02, or a dash, and what stands in :protocol where its
//!   library tells;
//! - /close is closed with 7 and "enough" once a stream has come;
//! - /refuse is 403.

use std::net::SocketAddr;
use std::sync::Arc;

use quinn::crypto::rustls::QuicServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The code of a QUIC stream that stands for one of a session's (draft-ietf-webtrans-http3, 4.4), which not every crate maps itself.
pub const fn wire_code(code: u64) -> u64 {
    0x52e4_a40f_a8db + code + code / 0x1e
}

/// rustls for a server of HTTP/3, with the certificate that the command line names.
pub fn tls() -> rustls::ServerConfig {
    let [cert, key] = [1, 2].map(|i| std::env::args().nth(i).expect("cert.pem key.pem"));
    let chain = CertificateDer::pem_file_iter(cert).unwrap().map(Result::unwrap).collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap();
    config.alpn_protocols = vec![b"h3".to_vec()];
    config
}

/// Where to listen: a port of the system's choice.
pub fn address() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// quinn with its defaults.
pub fn endpoint() -> quinn::Endpoint {
    let crypto = QuicServerConfig::try_from(tls()).unwrap();
    let endpoint = quinn::Endpoint::server(quinn::ServerConfig::with_crypto(Arc::new(crypto)), address()).unwrap();
    println!("ready {}", endpoint.local_addr().unwrap().port());
    endpoint
}
