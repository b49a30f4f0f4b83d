//! h3 on quinn as a server: requests by h3 itself, sessions by h3-webtransport.
//!
//! - GET /hello, POST /echo (with a trailer that says how many bytes it was), GET /bytes/:n;
//! - GET /hints has a 103 before its answer;
//! - GET /reset ends with H3_INTERNAL_ERROR inside its body once GET /go has come;
//! - GET /refuse is H3_REQUEST_REJECTED;
//! - GET /last answers "last" after GOAWAY.
//!
//! Each answer has "x-connection", which says on which connection of this server it goes, from 1.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use h3::error::Code;
use h3::ext::Protocol;
use h3::quic::{BidiStream, RecvStream, SendStream, StreamErrorIncoming};
use h3::server::{Connection, RequestStream};
use h3_webtransport::server::{AcceptedBi, WebTransportSession};
use http::{HeaderMap, Request, Response};
use peers::{endpoint, wire_code};
use tokio::io::AsyncWriteExt;
use tokio::sync::{Notify, mpsc};

type Quic = h3_quinn::Connection;
type Stream = RequestStream<h3_quinn::BidiStream<Bytes>, Bytes>;
type Session = WebTransportSession<Quic, Bytes>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let endpoint = endpoint();
    let go = Arc::new(Notify::new());
    let mut connections = 0;
    while let Some(incoming) = endpoint.accept().await {
        connections += 1;
        tokio::spawn(serve(incoming, connections, go.clone()));
    }
}

async fn serve(incoming: quinn::Incoming, number: usize, go: Arc<Notify>) {
    let Ok(quic) = incoming.await else { return }; // a client that does not believe in the certificate
    let mut builder = h3::server::builder();
    builder.enable_webtransport(true).enable_extended_connect(true).enable_datagram(true).max_webtransport_sessions(1);
    let mut http: Connection<Quic, Bytes> = builder.build(Quic::new(quic)).await.unwrap();
    let (last, mut lasts) = mpsc::channel(1);
    loop {
        let resolver = tokio::select! {
            accepted = http.accept() => match accepted {
                Ok(Some(resolver)) => resolver,
                _ => return, // the connection has ended
            },
            stream = lasts.recv() => {
                http.shutdown(1).await.unwrap(); // with 0 its GOAWAY would name this very request as one that it does not serve
                tokio::spawn(simple(stream.unwrap(), number, "last"));
                continue;
            }
        };
        let (request, stream) = resolver.resolve_request().await.unwrap();
        if request.extensions().get() == Some(&Protocol::WEB_TRANSPORT) && request.uri().path() != "/refuse" {
            return session(request, stream, http).await;
        }
        match request.uri().path() {
            "/last" => last.send(stream).await.unwrap(),
            _ => drop(tokio::spawn(answer(request, stream, number, go.clone()))),
        }
    }
}

fn head(status: u16, number: usize) -> Response<()> {
    Response::builder().status(status).header("x-connection", number).body(()).unwrap()
}

async fn simple(mut stream: Stream, number: usize, body: &'static str) {
    stream.send_response(head(200, number)).await.unwrap();
    stream.send_data(Bytes::from_static(body.as_bytes())).await.unwrap();
    stream.finish().await.unwrap();
}

/// What fails here its client has given up.
async fn answer(request: Request<()>, mut stream: Stream, number: usize, go: Arc<Notify>) {
    let path = request.uri().path();
    match path {
        "/hello" => {
            let mut response = head(200, number);
            response.headers_mut().insert("content-length", "5".parse().unwrap());
            response.headers_mut().insert("x-method", request.method().as_str().parse().unwrap());
            let _ = stream.send_response(response).await;
            if request.method() != http::Method::HEAD {
                let _ = stream.send_data(Bytes::from_static(b"hello")).await;
            }
            let _ = stream.finish().await;
        }
        "/hints" => {
            let hints = Response::builder().status(103).header("link", "</style.css>; rel=preload").body(()).unwrap();
            stream.send_response(hints).await.unwrap();
            simple(stream, number, "hints").await;
        }
        "/echo" => {
            let mut bytes = 0;
            let _ = stream.send_response(head(200, number)).await;
            while let Ok(Some(mut data)) = stream.recv_data().await {
                let data = data.copy_to_bytes(data.remaining());
                bytes += data.len();
                if stream.send_data(data).await.is_err() {
                    return;
                }
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("x-bytes", bytes.into());
            let _ = stream.send_trailers(trailers).await;
            let _ = stream.finish().await;
        }
        "/go" => {
            go.notify_one();
            simple(stream, number, "gone").await;
        }
        "/reset" => {
            let _ = stream.send_response(head(200, number)).await;
            let _ = stream.send_data(Bytes::from_static(b"some")).await;
            go.notified().await;
            stream.stop_stream(Code::H3_INTERNAL_ERROR);
        }
        "/refuse" if request.method() != http::Method::CONNECT => {
            stream.stop_sending(Code::H3_REQUEST_REJECTED);
            stream.stop_stream(Code::H3_REQUEST_REJECTED);
        }
        _ => {
            let count = path.strip_prefix("/bytes/").and_then(|n| n.parse().ok());
            let status = if count.is_some() { 200 } else { 403 };
            let _ = stream.send_response(head(status, number)).await;
            let _ = stream.send_data(Bytes::from(vec![7; count.unwrap_or(0)])).await;
            let _ = stream.finish().await;
        }
    }
}

async fn session(request: Request<()>, stream: Stream, http: Connection<Quic, Bytes>) {
    let path = request.uri().path().to_string();
    if path == "/asked" {
        println!("asked {}", request.headers().get("sec-webtransport-http3-draft02").map_or("-", |value| value.to_str().unwrap()));
    }
    let Ok(session) = Session::accept(request, stream, http).await else { return };
    match path.as_str() {
        "/close" => {
            session.accept_bi().await.unwrap();
            return; // there is no call that says a code or a reason
        }
        "/codes" => {
            let stream = session.open_bi(session.session_id()).await.unwrap();
            let (mut to, mut from) = stream.split();
            to.write_all(b"codes").await.unwrap();
            poll_fn(|cx| from.poll_data(cx)).await.unwrap();
            SendStream::<Bytes>::reset(&mut to, wire_code(5));
            from.stop_sending(wire_code(6));
        }
        _ => {}
    }
    echo(Arc::new(session)).await;
}

async fn echo(session: Arc<Session>) {
    let mut datagrams = session.datagram_reader();
    let mut answers = session.datagram_sender();
    let end = loop {
        tokio::select! {
            accepted = session.accept_bi() => match accepted {
                Ok(Some(AcceptedBi::BidiStream(_, stream))) => {
                    let (to, from) = stream.split();
                    tokio::spawn(back(to, from));
                }
                Ok(Some(AcceptedBi::Request(_, mut stream))) => stream.stop_stream(Code::H3_REQUEST_REJECTED),
                Ok(None) => continue, // a stream that has ended before it said what it is
                Err(error) => break error.to_string(),
            },
            accepted = session.accept_uni() => match accepted {
                Ok(Some((_, from))) => {
                    let to = session.open_uni(session.session_id()).await.unwrap();
                    tokio::spawn(back(to, from));
                }
                Ok(None) => {}
                Err(error) => break error.to_string(),
            },
            datagram = datagrams.read_datagram() => match datagram {
                Ok(datagram) => answers.send_datagram(datagram.into_payload()).unwrap(),
                Err(error) => break error.to_string(),
            },
        }
    };
    println!("ended {}", end.rsplit(": ").next().unwrap()); // which call it is that fails says the rest
}

async fn back<To: SendStream<Bytes> + AsyncWriteExt + Unpin, From: RecvStream>(mut to: To, mut from: From) {
    loop {
        match poll_fn(|cx| from.poll_data(cx)).await {
            Ok(Some(mut data)) => {
                let data = data.copy_to_bytes(data.remaining());
                if let Err(error) = to.write_all(&data).await {
                    if let Some(StreamErrorIncoming::StreamTerminated { error_code }) =
                        error.get_ref().and_then(|e| e.downcast_ref())
                    {
                        println!("stopped {error_code}");
                    }
                    return;
                }
            }
            Ok(None) => return drop(poll_fn(|cx| SendStream::<Bytes>::poll_finish(&mut to, cx)).await),
            Err(StreamErrorIncoming::StreamTerminated { error_code }) => {
                println!("reset {error_code}");
                return to.reset(error_code);
            }
            Err(_) => return, // the session has ended
        }
    }
}
