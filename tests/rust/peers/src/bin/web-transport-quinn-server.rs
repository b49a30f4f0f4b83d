//! Rust's web-transport-quinn as a server. It maps codes itself.

use peers::endpoint;
use web_transport_quinn::{ReadError, RecvStream, Request, SendStream, Session, SessionError, WebTransportError, WriteError};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let endpoint = endpoint();
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(serve(incoming));
    }
}

async fn serve(incoming: quinn::Incoming) {
    let Ok(connection) = incoming.await else { return }; // a client that does not believe in the certificate
    let Ok(request) = Request::accept(connection).await else { return };
    let path = request.url.path().to_string();
    if path == "/refuse" {
        let connection = request.conn().clone();
        request.reject(http::StatusCode::FORBIDDEN).await.unwrap();
        connection.closed().await; // it must not go before its answer
        return;
    }
    if path == "/asked" {
        println!("asked {}", request.headers.get("sec-webtransport-http3-draft02").map_or("-", |value| value.to_str().unwrap()));
    }
    let session = request.ok().await.unwrap();
    match path.as_str() {
        "/close" => {
            session.accept_bi().await.unwrap();
            session.close(7, b"enough");
        }
        "/codes" => {
            let (mut to, mut from) = session.open_bi().await.unwrap();
            to.write_all(b"codes").await.unwrap();
            from.read_exact(&mut [0; 1]).await.unwrap();
            to.reset(5).unwrap();
            from.stop(6).unwrap();
        }
        _ => {}
    }
    echo(session).await;
}

async fn echo(session: Session) {
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
            datagram = session.read_datagram() => match datagram {
                Ok(datagram) => session.send_datagram(datagram).unwrap(),
                Err(error) => break error,
            },
        }
    };
    match end {
        SessionError::WebTransportError(WebTransportError::Closed(code, reason)) => println!("closed {code} {reason}"),
        other => println!("ended {other}"),
    }
}

async fn one_way(session: Session, from: RecvStream) {
    let to = session.open_uni().await.unwrap();
    back(to, from).await;
}

async fn back(mut to: SendStream, mut from: RecvStream) {
    loop {
        match from.read_chunk(16 << 10, true).await {
            Ok(Some(chunk)) => match to.write_chunk(chunk.bytes).await {
                Ok(()) => {}
                Err(WriteError::Stopped(code)) => return println!("stopped {code}"),
                Err(_) => return, // the session has ended
            },
            Ok(None) => return drop(to.finish()),
            Err(ReadError::Reset(code)) => {
                println!("reset {code}");
                return drop(to.reset(code));
            }
            Err(_) => return,
        }
    }
}
