//! Rust's wtransport as a server.

use std::sync::Arc;

use peers::{address, tls, wire_code};
use wtransport::endpoint::IncomingSession;
use wtransport::error::{ConnectionError, StreamReadError, StreamWriteError};
use wtransport::{Connection, Endpoint, RecvStream, SendStream, ServerConfig, VarInt};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = Endpoint::server(ServerConfig::builder().with_bind_address(address()).with_custom_tls(tls()).build()).unwrap();
    println!("ready {}", server.local_addr().unwrap().port());
    loop {
        let incoming = server.accept().await;
        tokio::spawn(serve(incoming));
    }
}

async fn serve(incoming: IncomingSession) {
    let Ok(request) = incoming.await else { return }; // a client that does not believe in the certificate
    let path = request.path().to_string();
    if path == "/refuse" {
        return request.forbidden().await;
    }
    if path == "/asked" {
        println!("asked {}", request.headers().get("sec-webtransport-http3-draft02").map_or("-", |value| value));
    }
    let session = Arc::new(request.accept().await.unwrap());
    match path.as_str() {
        "/close" => {
            session.accept_bi().await.unwrap();
            session.close(VarInt::from_u32(7), b"enough");
        }
        "/codes" => {
            let (mut to, mut from) = session.open_bi().await.unwrap().await.unwrap();
            to.write_all(b"codes").await.unwrap();
            from.read_exact(&mut [0; 1]).await.unwrap();
            to.reset(VarInt::try_from_u64(wire_code(5)).unwrap()).unwrap();
            from.stop(VarInt::try_from_u64(wire_code(6)).unwrap());
        }
        _ => {}
    }
    echo(session).await;
}

async fn echo(session: Arc<Connection>) {
    let end = loop {
        tokio::select! {
            streams = session.accept_bi() => match streams {
                Ok((to, from)) => drop(tokio::spawn(back(to, from))),
                Err(error) => break error,
            },
            stream = session.accept_uni() => match stream {
                Ok(from) => drop(tokio::spawn(one_way(session.clone(), from))),
                Err(error) => break error,
            },
            datagram = session.receive_datagram() => match datagram {
                Ok(datagram) => session.send_datagram(&datagram[..]).unwrap(),
                Err(error) => break error,
            },
        }
    };
    match end {
        ConnectionError::ApplicationClosed(close) => {
            println!("closed {} {}", close.code(), String::from_utf8_lossy(close.reason()));
        }
        other => println!("ended {other}"),
    }
}

async fn one_way(session: Arc<Connection>, from: RecvStream) {
    let to = session.open_uni().await.unwrap().await.unwrap();
    back(to, from).await;
}

async fn back(mut to: SendStream, mut from: RecvStream) {
    let mut buffer = [0; 16 << 10];
    loop {
        match from.read(&mut buffer).await {
            Ok(Some(n)) => match to.write_all(&buffer[..n]).await {
                Ok(()) => {}
                Err(StreamWriteError::Stopped(code)) => return println!("stopped {code}"),
                Err(_) => return, // the session has ended
            },
            Ok(None) => return drop(to.quic_stream_mut().finish()),
            Err(StreamReadError::Reset(code)) => {
                println!("reset {code}");
                return drop(to.reset(code));
            }
            Err(_) => return,
        }
    }
}
