//! wtransport's client at tests/interop/server.ts, path by path, as tests/bun/webtransport-interop.test.ts has webtransport-go's. It
//! trusts the server by its certificate's hash, as browsers do. The library must have been built, and Bun installed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use wtransport::endpoint::endpoint_side::Client;
use wtransport::error::{ConnectingError, ConnectionError, StreamReadError};
use wtransport::tls::{Sha256Digest, Sha256DigestFmt};
use wtransport::{ClientConfig, Connection, Endpoint, RecvStream, VarInt};

struct Server {
    process: Child,
    url: String,
    hash: Sha256Digest,
}

impl Server {
    fn start() -> Server {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");
        let mut bun = Command::new(format!("{root}/bindings/bun/node_modules/.bin/bun"));
        let mut process = bun.arg(format!("{root}/tests/interop/server.ts")).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect(); // ready URL HASH
        let pairs: Vec<String> = words[2].as_bytes().chunks(2).map(|p| String::from_utf8(p.to_vec()).unwrap()).collect();
        let hash = Sha256Digest::from_str_fmt(pairs.join(":"), Sha256DigestFmt::DottedHex).unwrap();
        Server { process, url: words[1].trim_end_matches('/').to_string(), hash }
    }

    fn client(&self) -> Endpoint<Client> {
        let config = ClientConfig::builder().with_bind_address(([127, 0, 0, 1], 0).into());
        Endpoint::client(config.with_server_certificate_hashes([self.hash.clone()]).build()).unwrap()
    }

    async fn connect(&self, path: &str) -> Result<Connection, ConnectingError> {
        self.client().connect(format!("{}{path}", self.url)).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

async fn text(stream: &mut RecvStream) -> String {
    let (mut all, mut buffer) = (Vec::new(), [0; 1024]);
    while let Some(n) = stream.read(&mut buffer).await.unwrap() {
        all.extend(&buffer[..n]);
    }
    String::from_utf8(all).unwrap()
}

/// The code and the reason that the server has closed a session with.
async fn closed(session: &Connection) -> (u64, String) {
    match session.accept_uni().await {
        Err(ConnectionError::ApplicationClosed(close)) => {
            (close.code().into_inner(), String::from_utf8(close.reason().to_vec()).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn echo_gives_back_datagrams() {
    let server = Server::start();
    let session = server.connect("/wt/echo").await.unwrap();
    session.send_datagram("datagram").unwrap();
    assert_eq!(&session.receive_datagram().await.unwrap()[..], b"datagram");
    session.send_datagram([7; 1000]).unwrap();
    assert_eq!(session.receive_datagram().await.unwrap()[..], [7; 1000]);
}

#[tokio::test]
async fn echo_gives_back_streams_of_both_kinds() {
    let server = Server::start();
    let session = server.connect("/wt/echo").await.unwrap();
    let long = "long enough for many packets. ".repeat(10_000);
    let (mut to, mut from) = session.open_bi().await.unwrap().await.unwrap();
    let (_, back) = tokio::join!(
        async {
            to.write_all(long.as_bytes()).await.unwrap();
            to.finish().await.unwrap();
        },
        text(&mut from)
    );
    assert!(back == long);
    let mut out = session.open_uni().await.unwrap().await.unwrap();
    out.write_all(b"one way").await.unwrap();
    out.finish().await.unwrap();
    assert_eq!(text(&mut session.accept_uni().await.unwrap()).await, "one way");
}

/// A code of the QUIC stream as it stands for one of a session's (draft-ietf-webtrans-http3, 4.4): wtransport leaves that to its user.
fn stream_code(code: u64) -> VarInt {
    VarInt::try_from_u64(0x52e4_a40f_a8db + code + code / 0x1e).unwrap()
}

#[tokio::test]
async fn the_code_of_a_reset_comes_back_and_the_session_goes_on() {
    let server = Server::start();
    let session = server.connect("/wt/echo").await.unwrap();
    // The last one is none of a session's.
    for (sent, back) in
        [(stream_code(5), stream_code(5)), (stream_code(1000), stream_code(1000)), (VarInt::from_u32(5), stream_code(0))]
    {
        let (mut to, mut from) = session.open_bi().await.unwrap().await.unwrap();
        to.write_all(b"never to end").await.unwrap();
        from.read_exact(&mut [0; 12]).await.unwrap();
        to.reset(sent).unwrap();
        assert_eq!(from.read(&mut [0; 1]).await, Err(StreamReadError::Reset(back)));
    }
    let (mut to, mut from) = session.open_bi().await.unwrap().await.unwrap();
    to.write_all(b"still here").await.unwrap();
    to.finish().await.unwrap();
    assert_eq!(text(&mut from).await, "still here");
}

#[tokio::test]
async fn close_closes_with_what_the_query_says() {
    let server = Server::start();
    let session = server.connect("/wt/close?code=42&reason=so%20be%20it").await.unwrap();
    assert_eq!(closed(&session).await, (42, "so be it".to_string()));
}

#[tokio::test]
async fn what_is_rejected_or_not_there_is_refused() {
    let server = Server::start();
    for path in ["/wt/reject?status=418", "/wt/nowhere", "/hello"] {
        let error = server.connect(path).await.unwrap_err();
        assert!(matches!(error, ConnectingError::SessionRejected), "{path}: {error}");
    }
}

#[tokio::test]
async fn push_opens_a_stream_of_each_kind_and_closes_with_the_answer() {
    let server = Server::start();
    let session = server.connect("/wt/push").await.unwrap();
    assert_eq!(text(&mut session.accept_uni().await.unwrap()).await, "hello on a unidirectional stream");
    let (mut to, mut from) = session.accept_bi().await.unwrap();
    assert_eq!(text(&mut from).await, "hello on a bidirectional stream");
    to.write_all(b"thanks").await.unwrap();
    to.finish().await.unwrap();
    assert_eq!(closed(&session).await, (0, "thanks".to_string()));
}

#[tokio::test]
async fn twenty_connections_from_one_socket() {
    let server = Server::start();
    let client = server.client();
    let mut sessions = Vec::new();
    for i in 0..20u8 {
        let session = client.connect(format!("{}/wt/echo", server.url)).await.unwrap();
        session.send_datagram([i]).unwrap();
        sessions.push(session);
    }
    for (i, session) in sessions.iter().enumerate() {
        assert_eq!(&session.receive_datagram().await.unwrap()[..], [i as u8]);
    }
    client.close(VarInt::from_u32(0x100), b"");
    tokio::time::timeout(Duration::from_secs(10), client.wait_idle()).await.unwrap();
}
